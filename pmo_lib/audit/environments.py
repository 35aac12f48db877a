"""What a run is made again in: a fresh environment with the packages of its lock, or the one that is running."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from pmo_lib.archive.restore import read_object
from pmo_lib.archive.wheels import wheels_of
from pmo_lib.errors import ParameterError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pmo_lib.archive.ledger import Entry
    from pmo_lib.archive.wheels import Wheelhouse

SECONDS = 1_800
ASKED = (
    "import platform, sys, sysconfig; print(*sys.version_info[:2], platform.python_version(), sysconfig.get_platform())"
)
_HASH = re.compile(r"\s--hash=sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Environment:
    """An interpreter to make runs with, and what it is, in words."""

    python: Path
    told: str


@dataclass(frozen=True)
class Interpreter:
    """A Python that could make an environment."""

    path: str
    minor: str
    version: str
    platform: str

    @property
    def of(self) -> tuple[str, str]:
        """Tag and platform, as wheels name them."""
        return f"cp{self.minor.replace('.', '')}", self.platform


def running() -> Interpreter:
    """Return the Python that runs this."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Interpreter(sys.executable, minor, platform.python_version(), sysconfig.get_platform())


def here() -> Environment:
    """Return the environment that is running."""
    return Environment(Path(sys.executable), f"in this environment, not a fresh one: Python {running().version}")


def interpreter(minor: str, *, forced: str = "") -> Interpreter:
    """Return a Python of a minor version, such as 3.11: the running one, one on the path, or the one that is forced.

    Raises
    ------
    StoreError
        There is none.
    """
    if not forced and running().minor == minor:
        return running()
    found = _asked(forced or f"python{minor}")
    if found is None:
        what = f"{forced}: is no Python that runs" if forced else f"Python {minor} is not found"
        raise StoreError(what, fix="name one with --python")
    return found


def _asked(command: str) -> Interpreter | None:
    path = shutil.which(command)
    if path is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own Python
            [path, "-I", "-c", ASKED], capture_output=True, check=True, timeout=60, text=True
        )
        major, minor, version, machine = done.stdout.split()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Interpreter(path, f"{major}.{minor}", version, machine)


def fresh(folder: Path, *, root: Path, entries: Sequence[Entry], lock: str, python: Interpreter) -> Environment:
    """Make an environment with the locked packages: offline from the archive's wheels of that lock, or from an index.

    Parameters
    ----------
    folder
        Where: not there yet.
    root, entries
        The archive and its ledger.
    lock
        The sha256 of the lock.
    python
        What with.

    Raises
    ------
    StoreError
        It cannot be made: what is missing, and what the installer said last.
    """
    house = wheels_of(root, entries=entries, lock=lock, of=python.of)
    content = read_object(root, digest=lock)
    if not content.strip():
        raise StoreError("its lock is empty", fix="nothing: it was run without one")
    folder.mkdir(parents=True)
    pip = _made(folder / "env", python=python)
    if house is None:
        (folder / "requirements.txt").write_bytes(content)
        _called([*pip, "install", *LOCKED, "-r", str(folder / "requirements.txt")], variables=_ours())
        told = f"packages of the archived lock, from an index, since no wheels for {' '.join(python.of)} are kept"
    else:
        wanted = _laid(house, root=root, into=folder / "wheels")
        (folder / "wheels.txt").write_text(wanted, encoding="utf-8")
        offline = ["--no-index", "--find-links", str(folder / "wheels"), "--no-deps", "-r", str(folder / "wheels.txt")]
        _called([*pip, "install", *LOCKED, *offline], variables=_without_index())
        told = f"{len(house.files)} packages from the archive's wheels (entry {house.entry}), offline"
    return Environment(folder / "env" / "bin" / "python", f"in a fresh environment: Python {python.version}, {told}")


LOCKED = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--require-hashes",
          "--only-binary=:all:")  # fmt: skip


def _made(folder: Path, *, python: Interpreter) -> list[str]:
    """Make an empty environment; return the installer to use on it: its own, or the one beside us."""
    try:
        _called([python.path, "-m", "venv", str(folder)], variables=_without_index())
    except StoreError:  # Python without ensurepip
        if importlib.util.find_spec("pip") is None:
            raise
        _called([python.path, "-m", "venv", "--clear", "--without-pip", str(folder)], variables=_without_index())
        return [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    return [str(folder / "bin" / "python"), "-m", "pip"]


def _laid(house: Wheelhouse, *, root: Path, into: Path) -> str:
    """Write the wheels into a folder; return what asks for just these."""
    into.mkdir()
    lines = []
    for name, digest in sorted(house.files.items()):
        (into / name).write_bytes(read_object(root, digest=digest))
        try:
            package, version, *_ = parse_wheel_filename(name)
        except ValueError as error:
            raise StoreError(f"{name}: is no name of a wheel", fix="see what pmo verify says") from error
        lines.append(f"{package}=={version} --hash=sha256:{digest}\n")
    return "".join(lines)


def _ours() -> dict[str, str]:
    """Return our environment without what would lead another Python astray."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def _without_index() -> dict[str, str]:
    """Return an environment in which an installer knows of no index, configuration or constraint."""
    kept = {name: value for name, value in _ours().items() if not name.startswith("PIP_")}
    return kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}


def _called(command: list[str], *, variables: Mapping[str, str]) -> None:
    try:
        subprocess.run(  # noqa: S603 - our own words, and no shell
            command, env=dict(variables), check=True, timeout=SECONDS, capture_output=True, text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(f"the environment cannot be made: {error}", fix=INSTALL) from error
    except subprocess.CalledProcessError as error:
        said = [line for line in (error.stderr or error.stdout).splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("ERROR")] or said[-1:]
        raise StoreError(f"the environment cannot be made: {' '.join(errors)[:500]}", fix=INSTALL) from error


INSTALL = "keep the wheels of the lock with pmo archive wheels while they can be had, or name another --python"


# --- the wheels of a lock ---------------------------------------------------------------------------------------------


def download(project: Path, *, lock: Path, into: Path) -> list[Path]:
    """Download the wheels that a project needs to run on this Python, as its lock has them; return them.

    Parameters
    ----------
    project
        Its ``pyproject.toml``.
    lock
        Its ``requirements.txt``, with hashes.
    into
        A folder that is not there yet.

    Raises
    ------
    ParameterError
        A package that it needs is not installed here, or not locked.
    StoreError
        A wheel cannot be had.
    """
    needed = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    lines = locked_lines(lock.read_text(encoding="utf-8"), names=closure(needed))
    into.mkdir(parents=True)
    (into / "requirements.txt").write_text("".join(lines), encoding="utf-8")
    words = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--require-hashes"]
    _called(
        [sys.executable, "-m", "pip", "download", *words, "--only-binary=:all:", "-r", str(into / "requirements.txt"),
         "-d", str(into / "wheels")],
        variables=dict(os.environ),
    )  # fmt: skip
    return sorted((into / "wheels").glob("*.whl"))


def closure(needed: Sequence[str]) -> set[str]:
    """Return the names of all packages that some need on this Python, as the installed ones tell."""
    found: dict[str, frozenset[str]] = {}
    waiting = [Requirement(one) for one in needed]
    while waiting:
        asked = waiting.pop()
        name, extras = canonicalize_name(asked.name), frozenset(asked.extras)
        if name in found and extras <= found[name]:
            continue
        found[name] = found.get(name, frozenset()) | extras
        waiting.extend(_needs(name, extras=found[name]))
    return set(found)


def _needs(name: str, *, extras: frozenset[str]) -> Iterator[Requirement]:
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError as error:
        raise ParameterError(
            f"the package {name} is not installed", fix="install the lock first", problems=[]
        ) from error
    for each in map(Requirement, lines):
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield each


def locked_lines(lock: str, *, names: set[str]) -> list[str]:
    """Return the lines of a lock, each with its hashes, that are of some packages and of this Python.

    Raises
    ------
    ParameterError
        A package is not locked.
    """
    lines: dict[str, str] = {}
    for line in lock.replace("\\\n", " ").splitlines():
        head = _HASH.sub("", line).strip()
        if not head or head.startswith("#"):
            continue
        try:
            asked = Requirement(head)
        except InvalidRequirement as error:
            raise ParameterError(f"the lock has a line that is none: {head[:80]}", problems=[]) from error
        if asked.marker is None or asked.marker.evaluate():
            lines[canonicalize_name(asked.name)] = f"{' '.join(line.split())}\n"
    if lost := sorted(names - lines.keys()):
        raise ParameterError(f"the lock lacks {', '.join(lost)}", fix="write it anew with make lock", problems=[])
    return [lines[name] for name in sorted(names)]
