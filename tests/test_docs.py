"""The documents are true: their commands run, their options exist, their files and rooms are there, none left out."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from small_house import build
from test_architecture import RANKS

from pmo_lib import errors
from pmo_lib.cli import commands

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCHEDULED = (ROOT / "docs" / "scheduled_use.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

# Documented commands that this file does not run, and why.
NOT_RUN_HERE = {
    "make demo": "run by .ci/run",
    "make test": "run by .ci/run; it runs this file",
    "make test-slow": "run by .ci/run",
    "make check": "run by .ci/run",
    "make bench": "its figures are those of the machine; no test looks at a clock",
    "make lock": "asks a package registry",
    "make proof": "takes hours; tests/test_rerun.py does it with a small demo",
    "pmo archive wheels": "asks a package registry",
    "pmo ingest gmpp --org uk_gmpp --period all": "needs the published files; the acceptance tests ingest them",
    "pmo run --org uk_gmpp --period 2025-03": "needs the published files; the acceptance tests run it",
    "conda env create -f environment.yml": "needs conda",
    "conda activate pmo": "needs conda",
    "python -m pip install --no-build-isolation --no-deps -e .": "changes the environment; make setup does the same",
}


def fenced(text: str, *, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def documented(text: str) -> list[str]:
    """Return the commands of all console blocks, in order."""
    lines = (line for block in fenced(text, language="console") for line in block.splitlines())
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def synopses(text: str) -> dict[str, str]:
    """Return what a document says of each subcommand of ``pmo``: the rest of its synopsis."""
    lines = (line for block in fenced(text, language="text") for line in block.splitlines())
    found = {}
    for _, *words in (line.split() for line in lines if line.startswith("pmo ")):
        length = 2 if isinstance(commands.commands.get(words[0]), click.Group) else 1
        found[" ".join(words[:length])] = " ".join(words[length:])
    return found


def subcommands(group: click.Group, *, before: str = "") -> dict[str, click.Command]:
    """Return all commands of a group and of the groups in it, by their words."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        words = f"{before}{name}"
        found |= subcommands(command, before=f"{words} ") if isinstance(command, click.Group) else {words: command}
    return found


def synopsis(command: click.Command) -> set[str]:
    """Return what a subcommand takes, as the words of a synopsis: ``SOURCE``, ``--period``, ``[--jobs]``."""
    words = set()
    for parameter in command.params:
        name = parameter.human_readable_name.upper() if isinstance(parameter, click.Argument) else parameter.opts[-1]
        if isinstance(parameter.type, click.Choice):
            name += " " + "|".join(parameter.type.choices)
        if isinstance(parameter, click.Option) and parameter.multiple:
            name += " ..."
        words.add(name if parameter.required else f"[{name}]")
    return words


def told(line: str) -> set[str]:
    """Return the words of a written synopsis in the same form."""
    words = set()
    for part in re.findall(r"\[[^\]]*\]|--[\w-]+ \S+|\S+", line):
        inner = part.strip("[]").split()
        choices = [word for word in inner[1:] if "|" in word] + (["..."] if inner[-1] == "..." else [])
        name = " ".join([inner[0], *choices])
        words.add(f"[{name}]" if part.startswith("[") else name)
    return words


def targets(text: str) -> set[str]:
    """Return the targets of a Makefile that explain themselves."""
    return set(re.findall(r"(?m)^([a-z-]+):.*## ", text))


def misplaced(text: str, *, ranks: tuple[tuple[str, ...], ...], rooms: set[str]) -> Iterator[str]:
    """Yield where the diagram of a document is not the ranks of the rooms that exist, top first."""
    drawn = next((block.split("\n") for block in fenced(text, language="text") if "errors" in block.split()), [])
    expected = [sorted(set(row) & rooms) for row in reversed(ranks) if set(row) & rooms]
    found = [sorted(line.split()) for line in drawn if line]
    if found != expected:
        yield f"the diagram says {found}, the rooms are {expected}"
    rows = set(re.findall(r"(?m)^\| `(\w+)` \|", text))
    if rows != rooms:
        yield f"the table lacks {sorted(rooms - rows)} and has {sorted(rows - rooms)} too many"


def recipes(text: str) -> dict[str, list[str]]:
    """Return the files that each recipe of a document touches."""
    sections = re.findall(r"(?ms)^### (Add a \w+)\n(.*?)(?=^##|\Z)", text)
    return {title: re.findall(r"(?m)^- `([^`]+)`", body) for title, body in sections}


def has_a_place(path: str) -> bool:
    """Whether a file exists, or for ``<placeholders>`` a file of its kind."""
    pattern = re.sub(r"<[^>]+>", "*", path)
    return any(ROOT.glob(pattern))


def rooms_of(package: Path) -> set[str]:
    """Return the rooms that exist."""
    return {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()} - {
        "__init__"
    }


def test_every_documented_command_is_run_or_explained() -> None:
    """Each command in a console block is run by this file, or its exception is explained; no exception is stale."""
    everything = documented(README) + documented(CONTRIBUTING)
    assert [each for each in everything if each not in NOT_RUN_HERE and not each.startswith("pmo ")] == []
    assert sorted(NOT_RUN_HERE.keys() - set(everything)) == []


def test_ci_runs_what_is_left_to_it() -> None:
    """What is not run here because CI runs it, CI runs."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command, reason in NOT_RUN_HERE.items():
        if ".ci/run" in reason:
            assert re.search(rf"(?m)^timeout .* {command}$", script), command


def test_the_two_commands_come_first() -> None:
    """The README's first block holds the two commands that do all the set-up."""
    assert fenced(README, language="console")[0].split("\n") == ["$ make demo", "$ make test", ""]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary root with the project's parameters and notebooks."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("parameters", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    return folder


def ran(command: str, *, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a ``pmo`` command in a folder, as a reader would."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("PMO_")}
    return subprocess.run(
        [sys.executable, "-m", "pmo_lib.cli", *shlex.split(command)[1:]],
        cwd=folder,
        env=ours | {"PMO_ROOT": str(folder), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.slow
def test_the_readme_commands_work(workspace: Path) -> None:
    """Every ``pmo`` command of the README, run in order on an empty workspace, does what it says and ends with 0."""
    commands_to_run = [each for each in documented(README) if each.startswith("pmo ") and each not in NOT_RUN_HERE]
    assert commands_to_run[0].startswith("pmo demo")
    for command in commands_to_run:
        done = ran(command, folder=workspace)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}\n{done.stderr}"
    assert (workspace / "outputs" / "index.html").is_file()
    assert (workspace / "outputs" / "demo" / "2026-09" / "highways" / "health_check.html").is_file()
    assert (workspace / "summary.json").is_file()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A small house in which ``.venv/bin/pmo`` is the command, as in the examples of scheduled use."""
    root = build(tmp_path / "pmo")
    command = root / ".venv" / "bin" / "pmo"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m pmo_lib.cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return root


def spoil(root: Path) -> None:
    """Make the reports of one portfolio fail."""
    notebook = root / "notebooks" / "ratings.ipynb"
    text = notebook.read_text(encoding="utf-8")
    line = '"pass\\n"'
    assert line in text
    notebook.write_text(text.replace(line, line.replace("pass", "assert portfolio != 'ICT'")), encoding="utf-8")


def shell(line: str, *, root: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of an example in a shell, as its scheduler would, with the project where the house is."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("PMO_", "PYTHONPATH"))}
    return subprocess.run(
        ["/bin/sh", "-c", line.replace("/srv/pmo", str(root))],
        cwd=root, env=ours, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_the_cron_line_is_silent_unless_people_are_needed(installed: Path) -> None:
    """The example publishes and prints nothing; when a report fails it prints which, for cron to mail."""
    (line,) = fenced(SCHEDULED, language="cron")
    *fields, command = line.strip().split(None, 5)
    assert all(re.fullmatch(r"[\d*,/-]+", field) for field in fields)
    assert "%" not in command  # cron would read it as the end of the line
    done = shell(command, root=installed)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (installed / "outputs" / "demo" / "2026-09" / "whole.html").is_file()
    spoil(installed)
    assert "failed: ICT ratings at notebook" in shell(command, root=installed).stdout


@pytest.mark.slow
def test_the_systemd_units_are_sound_and_run(installed: Path) -> None:
    """The service's command publishes; where systemd's own checker is installed it finds nothing wrong in the units."""
    units = {block.splitlines()[0].rsplit("/", 1)[-1]: block for block in fenced(SCHEDULED, language="ini")}
    assert list(units) == ["pmo.service", "pmo.timer"]
    start = re.search(r"(?m)^ExecStart=(.*)$", units["pmo.service"])
    assert start is not None
    done = shell(f"cd /srv/pmo && {start[1]}", root=installed)
    assert done.returncode == 0, done.stderr
    for name, text in units.items():
        here = text.replace("/srv/pmo", str(installed)).replace("User=pmo", "User=root")
        (installed / name).write_text(here, encoding="utf-8")
    if checker := shutil.which("systemd-analyze"):
        for name in units:
            found = subprocess.run(
                [checker, "verify", str(installed / name)], capture_output=True, text=True, check=False
            )
            assert [row for row in found.stderr.splitlines() if name in row] == []


@pytest.mark.slow
def test_the_orchestrators_task_tells_what_happened(installed: Path) -> None:
    """The task returns the summary, may be called again, resumes, and raises with the failed reports by name."""
    (code,) = fenced(SCHEDULED, language="python")
    code += "import sys\nprint(portfolio_reports('2026-09', int(sys.argv[1]))['failed'])\n"
    (installed / "task.py").write_text(code, encoding="utf-8")
    call = f"PATH=/srv/pmo/.venv/bin:$PATH {sys.executable} task.py"
    assert shell(f"{call} 2", root=installed).stdout.splitlines()[-1] == "0"  # nothing to resume: a first run
    assert shell(f"{call} 2", root=installed).stdout.splitlines()[-1] == "0"
    spoil(installed)
    done = shell(f"{call} 1", root=installed)
    assert re.search(r"ValueError: ICT ratings: .*AssertionError", done.stderr), done.stderr


def test_every_subcommand_is_documented_as_it_is() -> None:
    """The README's synopses name exactly the subcommands, arguments and options that exist, and which are required."""
    written = synopses(README)
    every = subcommands(commands)
    assert written.keys() == every.keys()
    for name, command in every.items():
        assert told(written[name]) == synopsis(command), name


def test_exit_codes_are_those_of_the_errors() -> None:
    """The README's exit codes are those that the errors carry."""
    assert [int(code) for code in re.findall(r"(?m)^\| (\d+) \|", README)] == [0, 1, 2, 3, 5, 130]
    kinds = (errors.ReportError, errors.ParameterError, errors.DataContractError, errors.Locked, errors.Interrupted)
    assert [kind.exit_code for kind in kinds] == [1, 2, 3, 5, 130]


def test_every_make_target_is_documented() -> None:
    """Documented targets exist, and every target that explains itself is documented."""
    mentioned = set(re.findall(r"\bmake ([a-z-]+)\b", " ".join(re.findall(r"`[^`\n]+`|\$ .*", README + CONTRIBUTING))))
    assert mentioned - targets(MAKEFILE) == set()
    assert targets(MAKEFILE) - mentioned == {"help"}


def test_the_house_is_drawn_as_it_stands() -> None:
    """CONTRIBUTING's table and diagram name the rooms that exist, in the ranks that the architecture test enforces."""
    assert list(misplaced(CONTRIBUTING, ranks=RANKS, rooms=rooms_of(ROOT / "pmo_lib"))) == []


def test_recipes_touch_at_most_three_files_that_exist() -> None:
    """Each of the five recipes names one to three files of kinds that exist."""
    found = recipes(CONTRIBUTING)
    assert list(found) == ["Add a portfolio", "Add a metric", "Add a chart", "Add a report", "Add a source"]
    for title, files in found.items():
        assert 1 <= len(files) <= 3, title
        assert [path for path in files if not has_a_place(path)] == [], title


def test_named_files_exist() -> None:
    """Every file of the repository that a document names in backticks is there."""
    named = re.findall(
        r"`((?:tests|parameters|pmo_lib|notebooks|docs|\.ci)/[\w./-]+|[A-Z]+(?:\.md)?|\w+\.(?:toml|txt|yml))`",
        README + CONTRIBUTING + SCHEDULED,
    )
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists() and not any(ROOT.glob(f"parameters/*/{name}"))] == []


def test_the_changelog_tells_this_version() -> None:
    """The changelog has an entry for the version of the package."""
    version = re.search(r'(?m)^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert version is not None
    assert f"## [{version[1]}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_licence_is_whole() -> None:
    """LICENSE is the whole text of the Apache License 2.0, and pyproject.toml names it."""
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert [number for number in range(1, 10) if f"\n   {number}. " not in text] == []
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


# --- the check of the check -----------------------------------------------------------------------------------


@click.command()
@click.argument("source")
@click.option("--period", required=True)
@click.option("--portfolio", "portfolios", multiple=True)
@click.option("--engine", type=click.Choice(["a", "b"]))
@click.option("--json", "as_json", is_flag=True)
def _sample() -> None: ...


@pytest.mark.parametrize(
    "line",
    [
        "SOURCE --period P [--portfolio ID ...] [--engine a|b]",
        "SOURCE --period P [--portfolio ID ...] [--engine a|b] [--json] [--fast]",
        "SOURCE [--period P] [--portfolio ID ...] [--engine a|b] [--json]",
        "SOURCE --period P [--portfolio ID] [--engine a|b] [--json]",
        "SOURCE --period P [--portfolio ID ...] [--engine a] [--json]",
        "--period P [--portfolio ID ...] [--engine a|b] [--json]",
    ],
)
def test_a_wrong_synopsis_is_caught(line: str) -> None:
    """A missing, invented, wrongly required or single option, another choice or a missing argument is caught."""
    assert told(line) != synopsis(_sample)


def test_a_right_synopsis_passes() -> None:
    """A synopsis that tells the command as it is passes, in any order."""
    assert told("SOURCE [--json] --period YYYY-MM [--engine a|b] [--portfolio ID ...]") == synopsis(_sample)


def test_a_wrong_drawing_of_the_house_is_caught() -> None:
    """A room missing from the table, in the wrong row of the diagram or long gone is caught."""
    ranks = (("errors",), ("store", "theme"))
    sound = "| `errors` | x |\n| `store` | x |\n| `theme` | x |\n```text\nstore  theme\nerrors\n```\n"
    rooms = {"errors", "store", "theme"}
    assert list(misplaced(sound, ranks=ranks, rooms=rooms)) == []
    assert list(misplaced(sound.replace("| `store` | x |\n", ""), ranks=ranks, rooms=rooms))
    assert list(misplaced(sound.replace("store  theme", "theme\nstore"), ranks=ranks, rooms=rooms))
    assert list(misplaced(sound, ranks=ranks, rooms=rooms - {"store"}))


def test_a_recipe_of_a_file_that_is_not_is_caught() -> None:
    """A recipe for a kind of file that does not exist has no place."""
    assert recipes("### Add a cat\n\n- `pets/<name>.py`: it.\n- `README.md`\n") == {
        "Add a cat": ["pets/<name>.py", "README.md"]
    }
    assert not has_a_place("pets/<name>.py")
    assert has_a_place("pmo_lib/metrics/<subject>.py")


def test_commands_are_found_where_they_stand() -> None:
    """Only lines that begin with a prompt in a console block are commands."""
    text = "```console\n$ pmo demo\nprinted\n```\n```text\n$ no\n```\n$ no\n```console\n$ make x\n```\n"
    assert documented(text) == ["pmo demo", "make x"]
