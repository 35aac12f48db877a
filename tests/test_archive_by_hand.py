"""What the auditor's guide says can be done without this project can be done, and finds what was altered."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from kept_runs import copied, rewrite, run_kept, snapshot_kept

from pmo_lib.archive import new_key

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "archive.md"
SCRIPTS = re.findall(r"(?ms)^```sh\n(.*?)^```", GUIDE.read_text(encoding="utf-8"))
CONTENT, CHAIN, SIGNATURES = SCRIPTS


pytestmark = pytest.mark.usefixtures("openssl")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed archive of a snapshot and two runs; its public key lies beside it."""
    folder = tmp_path_factory.mktemp("by_hand")
    key = new_key(folder / "key.pem")
    root = folder / "archive"
    snapshot = snapshot_kept(root, "2026-09", key=key)
    run_kept(root, snapshot, key=key)
    run_kept(root, snapshot, portfolio="ICT", key=key)
    return root


def by_hand(script: str, *, root: Path, key: Path) -> int:
    """Run a script of the guide in the folder of an archive; return its exit code."""
    variables = os.environ | {"PUBLIC_KEY": str(key)}
    shell = shutil.which("dash") or "sh"
    return subprocess.run([shell, "-c", script], cwd=root, env=variables, capture_output=True, check=False).returncode


@pytest.mark.parametrize("script", SCRIPTS, ids=["content", "chain", "signatures"])
def test_a_sound_archive_passes(sound: Path, script: str) -> None:
    """Each script of the guide finds nothing in an archive that is whole."""
    assert by_hand(script, root=sound, key=sound.parent / "key.pem.pub") == 0


@pytest.mark.parametrize(
    ("script", "pattern"),
    [
        (CONTENT, "objects/sha256/*/*"),
        (CONTENT, "snapshots/*/*.json"),
        (CONTENT, "runs/*/ICT/*/health_check.html"),
        (CHAIN, "ledger/000001.json"),
        (CHAIN, "runs/*/ICT/*/SHA256SUMS"),
        (SIGNATURES, "runs/*/ICT/*/run.json"),
        (SIGNATURES, "runs/*/ICT/*/run.dsse.json"),
    ],
)
def test_an_altered_byte_is_found(sound: Path, tmp_path: Path, script: str, pattern: str) -> None:
    """Each script ends with an error where a byte of what it checks was changed."""
    root = copied(sound, tmp_path / "archive")
    path = sorted(root.glob(pattern))[0]
    content = path.read_bytes()
    middle = content.index(b'"sig":"') + 20 if path.name == "run.dsse.json" else len(content) // 2
    other = b"A" if content[middle : middle + 1] != b"A" else b"B"
    rewrite(path, content[:middle] + other + content[middle + 1 :])
    assert by_hand(script, root=root, key=sound.parent / "key.pem.pub") != 0


def test_another_key_is_found(sound: Path, tmp_path: Path) -> None:
    """A record that another key signed does not pass."""
    new_key(tmp_path / "other.pem")
    assert by_hand(SIGNATURES, root=sound, key=tmp_path / "other.pem.pub") != 0
