"""What is installed: pyproject.toml, the lock and environment.yml say the same, and declare what is imported.

Everything is read from the files: no registry or channel is asked. The Makefile and .ci/run are run against stand-ins.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
FILES = ("pyproject.toml", "requirements.txt", "environment.yml", ".pre-commit-config.yaml", "Makefile")

# Declared for run time although no module of ours imports it, and why.
NOT_IMPORTED = {
    "jinja2": "the page templates are written for it; nbconvert fills them in",
    "jupyterlab": "where analysts open the notebooks",
    "six": "scrapbook imports it and does not declare it",
}
# conda-forge's name where it is not the one in pyproject.toml.
CONDA_NAMES = {
    "jupyter-client": "jupyter_client",
    "jupyter-core": "jupyter_core",
    "playwright": "playwright-python",
    "ruamel-yaml": "ruamel.yaml",
}
# What conda itself needs beside the direct dependencies.
CONDA_OWN = {"python", "pip"}


def read_project() -> tuple[dict[str, Requirement], dict[str, Requirement]]:
    """Return the requirements of pyproject.toml for run time and for development, by canonical name."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    return named(project["project"]["dependencies"]), named(project["dependency-groups"]["dev"])


def named(lines: list[str]) -> dict[str, Requirement]:
    """Return requirements by canonical name; a name that stands twice is refused."""
    found: dict[str, Requirement] = {}
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        if name in found:
            raise ValueError(f"{name} stands twice")
        found[name] = requirement
    return found


def read_lock(text: str) -> list[tuple[Requirement, list[str]]]:
    """Return the pins of a lock with their hashes."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [
        (Requirement(line.split(" --hash=")[0]), re.findall(r"--hash=sha256:([0-9a-f]{64})\b", line)) for line in lines
    ]


def unlocked(pins: list[tuple[Requirement, list[str]]], *, direct: dict[str, Requirement]) -> Iterator[str]:
    """Yield every pin without a hash or an exact version, and every direct dependency that is not pinned as it asks."""
    for pin, hashes in pins:
        if not re.fullmatch(r"==[^*,]+", str(pin.specifier)):
            yield f"{pin.name} is not pinned to one version: {pin.specifier}"
        if not hashes or pin.url:
            yield f"{pin.name} has no sha256 or comes from an address"
    for name, wanted in direct.items():
        for python in PYTHONS:
            versions = [
                str(pin.specifier).removeprefix("==")
                for pin, _ in pins
                if canonicalize_name(pin.name) == name and holds(pin, python)
            ]
            if len(versions) != 1 or not wanted.specifier.contains(versions[0], prereleases=True):
                yield f"{name} is pinned at {versions} on Python {python}, asked for {wanted.specifier}"


def holds(pin: Requirement, python: str) -> bool:
    """Whether a pin is meant for a Python version on Linux."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    return pin.marker is None or pin.marker.evaluate(environment)


def read_conda(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the conda dependencies (name to version range), and those of its pip section."""
    plain, from_pip = {}, []
    for entry in YAML(typ="safe").load(text)["dependencies"]:
        if isinstance(entry, dict):
            from_pip = list(entry["pip"])
        elif found := re.fullmatch(r"([a-z0-9][a-z0-9._-]*)(?: ((?:>=|==|<|,|[0-9.])+))?", entry):
            plain[found[1]] = found[2] or ""
        else:
            raise ValueError(f"{entry!r} is no conda requirement")
    return plain, from_pip


def disagreements(conda: dict[str, str], from_pip: list[str], *, direct: dict[str, Requirement]) -> Iterator[str]:
    """Yield where the conda environment and pyproject.toml name different packages or versions."""
    told = {name: SpecifierSet(ranges) for name, ranges in conda.items() if name not in CONDA_OWN}
    told |= {CONDA_NAMES.get(name, name): requirement.specifier for name, requirement in named(from_pip).items()}
    asked = {CONDA_NAMES.get(name, name): requirement.specifier for name, requirement in direct.items()}
    for name in sorted(told.keys() | asked.keys()):
        if told.get(name) != asked.get(name):
            yield f"{name}: environment.yml says {told.get(name)}, pyproject.toml {asked.get(name)}"


def imported(text: str) -> set[str]:
    """Return the top-level names of the modules that a source imports, by statement or by literal name."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "importlib.import_module"):
            found |= {str(a.value).split(".")[0] for a in node.args[:1] if isinstance(a, ast.Constant)}
    return found


def third_party(names: set[str]) -> set[str]:
    """Leave out the standard library and the project's own packages."""
    own = {path.stem for path in (ROOT / "tests").iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
    return names - sys.stdlib_module_names - {"pmo_lib"} - own


def source_imports(*folders: str) -> set[str]:
    """Return every third-party module that the sources and notebooks of some folders import."""
    found: set[str] = set()
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            found |= imported(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / folder).glob("*.ipynb")):
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            found |= imported("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))
    return third_party(found)


def distributions(modules: set[str]) -> dict[str, set[str]]:
    """Return the canonical names of the distributions that each module comes from."""
    known = packages_distributions()
    return {module: {str(canonicalize_name(name)) for name in known.get(module, ())} for module in modules}


def undeclared(modules: set[str], *, declared: set[str]) -> list[str]:
    """Return the modules that no declared distribution brings."""
    return sorted(module for module, names in distributions(modules).items() if not names & declared)


def addresses(text: str) -> list[str]:
    """Return what points to an index, a server or a place on a disk."""
    found = re.findall(
        r"(?m)\S*://\S+|^\s*(?:-i|-f|-e|--index-url|--extra-index-url|--find-links)\b.*| @ \S+|\bfile:\S+",
        text,
    )
    return [each.strip() for each in found]


def test_the_lock_pins_every_direct_dependency_with_hashes() -> None:
    """Every direct dependency is pinned once per Python as pyproject.toml allows, and every pin has hashes."""
    runtime, development = read_project()
    pins = read_lock((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert len(pins) > 100
    assert list(unlocked(pins, direct=runtime | development)) == []


def test_the_conda_environment_agrees() -> None:
    """environment.yml names the direct dependencies of pyproject.toml, with the same ranges, and nothing else."""
    runtime, development = read_project()
    conda, from_pip = read_conda((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert list(disagreements(conda, from_pip, direct=runtime | development)) == []
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert SpecifierSet(conda["python"]) == SpecifierSet(tomllib.load(file)["project"]["requires-python"])


def test_no_name_stands_in_two_groups() -> None:
    """A dependency is declared once: for run time or for development."""
    runtime, development = read_project()
    assert runtime.keys() & development.keys() == set()


def test_what_an_extra_brings_is_tested() -> None:
    """Every extra is among the packages that the tests run with, as it stands."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    extras = {name: set(lines) for name, lines in project["project"]["optional-dependencies"].items()}
    assert extras.keys() == {"postgresql", "schedules"}
    assert set().union(*extras.values()) <= set(project["dependency-groups"]["dev"])


def test_build_backend_and_lock_tool_are_locked() -> None:
    """The build backend and uv are pinned too, so that installing fetches nothing that has no hash."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        (backend,) = tomllib.load(file)["build-system"]["requires"]
    pins = {canonicalize_name(pin.name): pin for pin, _ in read_lock((ROOT / "requirements.txt").read_text("utf-8"))}
    assert str(pins["flit-core"].specifier) == str(Requirement(backend).specifier)
    assert {"uv", "pip", "setuptools"} & pins.keys() >= {"uv"}


@pytest.mark.parametrize("name", FILES)
def test_no_file_names_a_server(name: str) -> None:
    """No file that installs something holds an index address, another address, or a place on a disk."""
    assert addresses((ROOT / name).read_text(encoding="utf-8")) == []


def test_pre_commit_runs_what_is_installed() -> None:
    """Hooks are local and of the system: none is cloned."""
    repos = YAML(typ="safe").load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    assert {hook["language"] for repo in repos for hook in repo["hooks"]} == {"system"}


def test_what_is_imported_is_declared() -> None:
    """Every third-party import of the library and the notebooks is a direct run-time dependency."""
    runtime, _ = read_project()
    modules = source_imports("pmo_lib", "notebooks")
    assert {"pandas", "pydantic"} <= modules
    assert undeclared(modules, declared=set(runtime)) == []


def test_what_the_tests_import_is_declared() -> None:
    """Every third-party import of the tests is a direct dependency too."""
    runtime, development = read_project()
    assert undeclared(source_imports("tests"), declared=set(runtime) | set(development)) == []


def test_what_is_declared_is_imported() -> None:
    """Every run-time dependency is imported, or it is written down why it is not; no reason outlives its need."""
    runtime, _ = read_project()
    used = set().union(*distributions(source_imports("pmo_lib", "notebooks")).values())
    assert sorted(set(runtime) - used - NOT_IMPORTED.keys()) == []
    assert sorted(NOT_IMPORTED.keys() & used | NOT_IMPORTED.keys() - runtime.keys()) == []


# --- the check of the check -----------------------------------------------------------------------------------

HASH = " --hash=sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("lock", "problem"),
    [
        ("pandas==3.1.0", "pandas has no sha256"),
        ("pandas>=3.1" + HASH, "pandas is not pinned to one version"),
        ("pandas==3.*" + HASH, "pandas is not pinned to one version"),
        ("pandas==3.0.9" + HASH, "pandas is pinned at ['3.0.9'] on Python 3.11"),
        ("pandas @ https://example.org/pandas.whl" + HASH, "comes from an address"),
        ("numpy==2.4.6" + HASH, "pandas is pinned at [] on Python 3.13"),
        ("pandas==3.1.0 ; python_full_version < '3.12' \\\n   " + HASH, "pandas is pinned at [] on Python 3.12"),
        ("pandas==3.1.0" + HASH + "\npandas==3.1.1" + HASH, "pandas is pinned at ['3.1.0', '3.1.1'] on Python 3.11"),
    ],
)
def test_a_bad_lock_is_caught(lock: str, problem: str) -> None:
    """A pin without hash or exact version, a missing, a double or a disallowed one is caught."""
    found = list(unlocked(read_lock(lock), direct=named(["pandas>=3.1"])))
    assert any(problem in each for each in found), found


def test_a_forked_lock_is_sound() -> None:
    """A lock may pin one version for an old Python and another for the newer ones."""
    lock = f"# note\na==1 ; python_full_version < '3.12' \\\n   {HASH}\na==2 ; python_full_version >= '3.12'{HASH}\n"
    assert list(unlocked(read_lock(lock), direct=named(["A>=1"]))) == []


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        (["pandas >=3.0"], "pandas: environment.yml says >=3.0, pyproject.toml >=3.1"),
        ([], "pandas: environment.yml says None, pyproject.toml >=3.1"),
        (["pandas >=3.1", "torch"], "torch: environment.yml says , pyproject.toml None"),
        (["pandas >=3.1", {"pip": ["torch>=2"]}], "torch: environment.yml says >=2, pyproject.toml None"),
    ],
)
def test_a_drifting_environment_is_caught(entries: list[object], problem: str) -> None:
    """Another range, a missing or an additional package in environment.yml is caught, in its pip section too."""
    conda, from_pip = read_conda(json.dumps({"dependencies": ["python >=3.11", *entries]}))
    assert list(disagreements(conda, from_pip, direct=named(["pandas>=3.1"]))) == [problem]


@pytest.mark.parametrize("entry", ["pandas=>3", "pandas >= 3", "conda-forge::pandas", "./wheels/pandas.conda"])
def test_what_conda_cannot_read_is_caught(entry: str) -> None:
    """A line that is no plain conda requirement is refused."""
    with pytest.raises(ValueError, match="no conda requirement"):
        read_conda(json.dumps({"dependencies": [entry]}))


@pytest.mark.parametrize(
    "line",
    [
        "--extra-index-url https://example.org/simple",
        "-i example",
        "--find-links wheels",
        "pandas @ file:///tmp/pandas.whl",
        "  -e .",
        "a: s3://bucket",
    ],
)
def test_an_address_is_caught(line: str) -> None:
    """Index options, addresses and places on a disk are caught wherever they stand."""
    assert addresses(f"pandas==3.1\n{line}\n")


def test_an_undeclared_import_is_caught() -> None:
    """An import that no declared distribution brings is caught however it is spelt; the standard library is not."""
    text = 'import os, six\nfrom ruamel.yaml import YAML\ndef f():\n    import_module("plotly.io")\n'
    assert undeclared(third_party(imported(text)), declared={"ruamel-yaml"}) == ["plotly", "six"]


# --- the two commands and CI ----------------------------------------------------------------------------------


def stand_in(folder: Path, *, name: str, script: str) -> None:
    """Put a program of that name into a folder: it logs how it was called, then does what the script says."""
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >>"$LOG"\n{script}\n', encoding="utf-8")
    path.chmod(0o755)


def made(target: str, *, folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Run a target of the Makefile with another Python and another environment."""
    return subprocess.run(
        ["make", "--no-print-directory", target, f"PYTHON={python}", f"VENV={folder / 'venv'}"],
        cwd=ROOT,
        env=os.environ | {"LOG": str(folder / "log")},
        capture_output=True,
        text=True,
        check=False,
    )


PRETEND_PYTHON = """
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && cp "$0" "$3/bin/pmo" ;;
esac
"""


def test_make_demo_installs_the_lock_with_hashes_then_the_package_then_runs_once(tmp_path: Path) -> None:
    """``make demo`` makes the environment, installs lock and package without a free build, and does so only once."""
    stand_in(tmp_path, name="python", script=PRETEND_PYTHON)
    for _ in range(2):
        assert made("demo", folder=tmp_path, python=str(tmp_path / "python")).returncode == 0
    calls = [line for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines() if " -c " not in line]
    assert calls[0].startswith("python -m venv")
    assert [line.partition(" install --quiet ")[2] for line in calls[1:]] == [
        "--require-hashes -r requirements.txt",
        "--no-build-isolation --no-deps -e .",
        "",
        "",
    ]
    assert calls[3:] == ["python demo", "python demo"]


def test_make_says_what_to_do_about_an_old_python(tmp_path: Path) -> None:
    """A Python that is too old or missing ends in one line that says how to name another."""
    stand_in(tmp_path, name="python", script="exit 1")
    done = made("setup", folder=tmp_path, python=str(tmp_path / "python"))
    assert done.returncode != 0
    assert "older than 3.11 -> name another: make PYTHON=" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that holds .ci/run alone, real data beside it, and stand-ins for every program that it calls."""
    (tmp_path / "checkout" / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", tmp_path / "checkout" / ".ci" / "run")
    (tmp_path / "shared" / "data").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    for name in ("bash", "sh", "dirname", "grep", "timeout"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "missing")
    for name in ("apt-get", "python3", "chromium", "soffice", "fc-list", "java", "initdb", "openssl", "strace"):
        stand_in(tmp_path / "bin", name=name, script="")
    stand_in(tmp_path / "bin", name="dpkg-query", script="echo install ok installed")
    stand_in(tmp_path / "bin", name="make", script='echo "$PMO_CI $PMO_REAL_DATA" >>"$LOG"; test "$1" != "$FAILS"')
    return tmp_path / "checkout"


def continuous(checkout: Path, *, fails: str = "") -> tuple[int, list[str]]:
    """Run .ci/run on stand-ins, one target failing; return its exit code and what was called."""
    log = checkout.parent / "log"
    environment = {"PATH": str(checkout.parent / "bin"), "LOG": str(log), "FAILS": fails}
    done = subprocess.run(
        ["bash", ".ci/run"], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, log.read_text(encoding="utf-8").splitlines()


def test_ci_runs_everything_with_its_promises(checkout: Path) -> None:
    """CI runs demo, check, test and test-slow in order, with PMO_CI and the real data; it installs nothing twice."""
    code, calls = continuous(checkout)
    assert code == 0
    assert [line for line in calls if line.startswith("make")] == [
        "make demo",
        "make check",
        "make test",
        "make test-slow",
    ]
    assert calls.count(f"1 {checkout.parent / 'shared' / 'data'}") == 4
    assert [line for line in calls if line.startswith("apt-get")] == []


@pytest.mark.parametrize("target", ["demo", "check", "test", "test-slow"])
def test_ci_stops_at_the_first_failure(checkout: Path, target: str) -> None:
    """A target that fails ends CI with its failure, and nothing runs after it."""
    code, calls = continuous(checkout, fails=target)
    assert code != 0
    assert [line for line in calls if line.startswith("make")][-1] == f"make {target}"


def test_ci_installs_what_is_missing(checkout: Path) -> None:
    """On a machine without Chromium and fonts CI installs them, after it has updated the package lists."""
    (checkout.parent / "bin" / "chromium").unlink()
    stand_in(checkout.parent / "bin", name="dpkg-query", script="exit 1")
    code, calls = continuous(checkout)
    asked = [line for line in calls if line.startswith("apt-get")]
    assert (code, asked[0]) == (0, "apt-get update -qq")
    assert {"chromium", "fonts-liberation", "fonts-dejavu-core"} <= set(asked[1].split())
