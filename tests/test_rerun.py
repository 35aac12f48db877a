"""Runs made again: the verdict is that of the bytes, nothing that was altered is executed, the archive is only read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kept_runs import copied, files_of, made_of, put, put_all, rewrite, run_kept, run_taken, snapshot_kept
from small_house import build

from pmo_lib.archive import Disposal, Ledger, Run, expire, verify
from pmo_lib.archive.contents import object_path
from pmo_lib.archive.ledger import whole_ledger
from pmo_lib.archive.wheels import keep_wheels, wheels_of
from pmo_lib.audit import CANNOT, DIFFERENT, FIGURES, IDENTICAL, Verdict, Way, kept, rerun
from pmo_lib.audit.environments import closure, interpreter, locked_lines, running
from pmo_lib.audit.verdicts import judged
from pmo_lib.cli import commands
from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.snapshots import Snapshot
from pmo_lib.store import canonical_json, digest_of

AT = "2026-10-05T09:00:00+00:00"
HERE = Way(fresh=False, seconds=60)

# A library that an archive may hold: its report tells what it was asked for, and in what surroundings.
LIBRARY = b"""
import json, os, sys
from pathlib import Path

job, into = json.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2])
folder = Path(job["outputs"], job["parameters"]["organisation"])
seen = sorted(path.relative_to(folder).as_posix() for path in folder.glob("2*/**/*.*"))
manifests = sorted(path.name for path in folder.glob("archive/snapshots/*/*.json"))
known = {name: os.environ.get(name) for name in ("TZ", "SECRET", "VARIED")}
told = {"parameters": job["parameters"], "seen": seen, "manifests": len(manifests), "known": known,
        "inputs": sorted(path.name for path in Path(job["root"]).rglob("*.*")),
        "cwd": Path.cwd() in Path(__file__).parents}
if Path(job["root"], "parameters", "fails.yml").exists():
    sys.exit("mend this")
into.mkdir()
report = job["report"]
(into / f"{report}.html").write_text(f"<p>{job['engine']}</p>")
figures = [{"name": "seen", "value": len(seen), "unit": "files", "reason": None}]
(into / f"{report}.json").write_text(json.dumps({"figures": figures, "tables": {}, "told": told}, sort_keys=True))
(into / f"{report}.ipynb").write_text("{}")
(into / "findings.json").write_text("{}")
into.with_name("facts.json").write_text(json.dumps({"made_with": {"numeric": "new"}, "went": {"python": sys.version}}))
"""
AGAIN = "pmo_lib/runner/again.py"
SOURCE = {"pmo_lib/__init__.py": b"", "pmo_lib/runner/__init__.py": b"", AGAIN: LIBRARY}
INPUTS = {"parameters/demo/organisation.yml": b"id: demo\n", "notebooks/health_check.ipynb": b"{}"}


def told(
    *, portfolio: str, snapshot: str, manifests: int, seen: list[str], variables: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the made-up library tells."""
    parameters = {"organisation": "demo", "period": "2026-09", "portfolio": portfolio, "snapshot": snapshot}
    known = {"TZ": None, "SECRET": None, "VARIED": None} | dict(variables)
    return {
        "parameters": parameters | {"overrides": {}},
        "seen": seen,
        "manifests": manifests,
        "known": known,
        "inputs": ["health_check.ipynb", "organisation.yml"],
        "cwd": True,
    }


def files(report: str, *, engine: str = "kernel", **what: Any) -> dict[str, bytes]:
    """Return the files that the made-up library makes."""
    figures = [{"name": "seen", "value": len(what["seen"]), "unit": "files", "reason": None}]
    document = {"figures": figures, "tables": {}, "told": told(**what)}
    return {
        f"{report}.html": f"<p>{engine}</p>".encode(),
        f"{report}.json": json.dumps(document, sort_keys=True).encode(),
        f"{report}.ipynb": b"{}",
        "findings.json": b"{}",
    }


def makings(root: Path, snapshot: Snapshot, *, source: Mapping[str, bytes] = SOURCE) -> list[Any]:
    """Return what a run of the made-up library is made of."""
    others = [one for one in made_of(root, snapshot, inputs=INPUTS) if one.name != "source"]
    return [*others, put_all(root, "source", source)]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with a run of a portfolio, a roll-up that read it, a correction, and a run of that."""
    root = tmp_path_factory.mktemp("sound") / "demo" / "archive"
    first = snapshot_kept(root, "2026-09")
    made = files("health_check", portfolio="HWY", snapshot=first.id, manifests=1, seen=[], variables={})
    run = run_kept(root, first, files=made, dependencies=makings(root, first))
    read = {"2026-09/HWY/health_check.json": run.sums["health_check.json"],
            "2026-09/state.json": put(root, "", b'{"reports":[]}').sha256}  # fmt: skip
    seen = ["2026-09/HWY/health_check.html", "2026-09/HWY/health_check.json", "2026-09/state.json"]
    whole = files("portfolio_rollup", portfolio="", snapshot=first.id, manifests=1, seen=seen, variables={})
    published = put(root, "published", canonical_json(read))
    run_kept(root, first, portfolio="", report="portfolio_rollup", files=whole,
             dependencies=[*makings(root, first), published])  # fmt: skip
    second = snapshot_kept(root, "2026-09", cost="2000.10", reason="a digit was lost")
    after = files("health_check", portfolio="HWY", snapshot=second.id, manifests=2, seen=[], variables={})
    run_kept(root, second, files=after, dependencies=makings(root, second), supersedes=run.place)
    return root


def again(root: Path, *names: str, work: Path, way: Way = HERE) -> list[Verdict]:
    """Make runs again; the archive must be as it was afterwards."""
    before = {name: digest_of((root / name).read_bytes()) for name in files_of(root)}
    verdicts = list(rerun(root, runs=names, way=way, work=work))
    assert {name: digest_of((root / name).read_bytes()) for name in files_of(root)} == before
    return verdicts


def runs_of(root: Path) -> list[str]:
    """Return the folders of all runs, in the ledger's order."""
    return [entry.path.rpartition("/")[0] for entry in whole_ledger(root) if entry.kind == "run"]


# --- from the archive alone -----------------------------------------------------------------------------------


def test_each_run_sees_the_world_as_it_was(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run sees the snapshots, results and states of its own time, its own inputs, and no variable of ours."""
    monkeypatch.setenv("SECRET", "mine")
    verdicts = again(sound, *runs_of(sound), work=tmp_path)
    assert [(one.word, one.why) for one in verdicts] == [(IDENTICAL, ())] * 3
    assert all("not a fresh one" in one.where for one in verdicts)


def test_a_run_is_found_by_its_report(sound: Path, tmp_path: Path) -> None:
    """Period, portfolio and report name the newest run of it; two at a time give the same, in the order asked for."""
    names = ["2026-09/HWY/health_check", "2026-09/portfolio_rollup", runs_of(sound)[0].rpartition("/")[2]]
    verdicts = again(sound, *names, work=tmp_path, way=replace(HERE, jobs=2))
    order = runs_of(sound)
    assert [(one.run, one.word) for one in verdicts] == [(order[n], IDENTICAL) for n in (2, 1, 0)]


def test_another_engine_shows(sound: Path, tmp_path: Path) -> None:
    """What differs in the page alone is FIGURES IDENTICAL, and the first place in which it differs is told."""
    (verdict,) = again(sound, "2026-09/portfolio_rollup", work=tmp_path, way=replace(HERE, engine="pmo"))
    assert verdict.word == FIGURES
    assert verdict.why == ("portfolio_rollup.html: line 1: '<p>kernel</p>' → '<p>pmo</p>'",)


def test_variables_may_be_varied(sound: Path, tmp_path: Path) -> None:
    """Variables beyond those of the record reach the run, and what they change shows."""
    (verdict,) = again(sound, "2026-09/portfolio_rollup", work=tmp_path, way=replace(HERE, variables={"VARIED": "yes"}))
    assert verdict.word == FIGURES
    assert verdict.why == ('portfolio_rollup.json: told.known.VARIED: null → "yes"',)
    assert any(one.startswith("arithmetic: ") for one in verdict.machine)


# --- what cannot be made again ----------------------------------------------------------------------------------


def cannot(root: Path, name: str, *, work: Path, way: Way = HERE) -> str:
    """Return why a run cannot be made again."""
    (verdict,) = again(root, name, work=work, way=way)
    assert verdict.word == CANNOT, verdict
    return verdict.why[0]


def altered(root: Path, pattern: str) -> str:
    """Alter the first file whose bytes hold a pattern, where the archive has it as an object; return its path."""
    for name in files_of(root):
        if name.startswith("objects/") and pattern.encode() in (content := (root / name).read_bytes()):
            rewrite(root / name, content.replace(pattern.encode(), b"import harm"))
            return name
    raise AssertionError(pattern)


@pytest.mark.parametrize("pattern", ["import json, os, sys", "id: demo", '"pmo_lib/runner/again.py"'])
def test_what_was_altered_is_not_executed(sound: Path, tmp_path: Path, pattern: str) -> None:
    """Library, parameters and the lists of them are refused by name where a byte of them is not what it was."""
    root = copied(sound, tmp_path / "demo" / "archive")
    path = altered(root, pattern)
    assert cannot(root, runs_of(root)[0], work=tmp_path / "work").startswith(f"{path}: altered")
    assert not list((tmp_path / "work").rglob("made"))


def test_an_altered_run_is_refused(sound: Path, tmp_path: Path) -> None:
    """A run with a file that is not what its sums say is not made again, and the file is named."""
    root = copied(sound, tmp_path / "demo" / "archive")
    place = runs_of(root)[0]
    rewrite(root / place / "health_check.html", b"<p>better</p>")
    assert "health_check.html" in cannot(root, place, work=tmp_path / "work")


def test_a_run_that_nobody_entered_is_not_executed(sound: Path, tmp_path: Path) -> None:
    """Whoever lays a whole, matching run into the archive does not have its code executed."""
    root = copied(sound, tmp_path / "demo" / "archive")
    snapshot = snapshot_kept(root, "2026-10")
    run = run_taken(root, snapshot, dependencies=makings(root, snapshot))
    assert "no entry of the ledger vouches for it" in cannot(root, run.place, work=tmp_path / "work")


def test_a_missing_table_is_named(sound: Path, tmp_path: Path) -> None:
    """A table of the snapshot that is gone is named; what the report does not read, the raw return, is not missed."""
    root = copied(sound, tmp_path / "demo" / "archive")
    place = runs_of(root)[0]
    manifest = json.loads(
        next((root / "snapshots" / "2026-09").glob(f"{kept(root, name=place).run.about['snapshot']}*")).read_bytes()
    )
    (root / f"objects/sha256/{manifest['sources'][0]['sha256'][:2]}/{manifest['sources'][0]['sha256']}").unlink()
    (verdict,) = again(root, place, work=tmp_path / "one")
    assert verdict.word == IDENTICAL
    table = manifest["tables"]["status"]["sha256"]
    (root / f"objects/sha256/{table[:2]}/{table}").unlink()
    assert cannot(root, place, work=tmp_path / "two").startswith(f"objects/sha256/{table[:2]}/{table}: missing")


def test_what_others_published_must_be_there(sound: Path, tmp_path: Path) -> None:
    """A roll-up whose portfolio's results were altered is not made again from other ones."""
    root = copied(sound, tmp_path / "demo" / "archive")
    first, whole, _ = runs_of(root)
    rewrite(root / first / "health_check.json", b"{}")
    assert "health_check.json" in cannot(root, whole, work=tmp_path / "work")


def test_what_expired_is_told_by_its_entry(sound: Path, tmp_path: Path) -> None:
    """A run whose page was disposed of cannot be made again, and the entry that says so is named, with its rule."""
    root = copied(sound, tmp_path / "demo" / "archive")
    snapshot = snapshot_kept(root, "2026-10")
    run_kept(root, snapshot, dependencies=makings(root, snapshot))
    rule = Disposal("2026-10", ("runs",), "7 years", "the board")
    _, entry = expire(Ledger(root, "jo"), rule=rule, at=AT)
    assert entry is not None
    (verdict,) = again(root, runs_of(root)[1], work=tmp_path / "work")
    page = f"{runs_of(root)[1]}/portfolio_rollup.html"
    assert verdict.word == CANNOT
    assert f"{page}: expired by entry {entry.sequence} (rule 7 years, approved by the board)" in verdict.why


@pytest.mark.parametrize("name", ["../../../evil.json", "2026-09/../../x.json", "/etc/passwd", "2026-09/HWY/x.py"])
def test_a_list_that_leads_elsewhere_is_refused(sound: Path, tmp_path: Path, name: str) -> None:
    """What a record says it read of others is laid out below its period, or not at all."""
    root = copied(sound, tmp_path / "demo" / "archive")
    snapshot = snapshot_kept(root, "2026-10")
    published = put(root, "published", canonical_json({name: put(root, "", b"x").sha256}))
    run = run_kept(root, snapshot, dependencies=[*makings(root, snapshot), published])
    why = cannot(root, run.place, work=tmp_path / "work")
    assert "which is no file of a run" in why or "what it read of others is named" in why
    assert not list(tmp_path.rglob("evil.json"))


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"pmo_lib/__init__.py": b""}, "its library is older than"),
        (SOURCE | {AGAIN: b"import sys; sys.exit('first\\nmend \\x1b[31mthis')"}, r"mend \x1b[31mthis"),
        (SOURCE | {AGAIN: b"import time; time.sleep(60)"}, "not made within 2 seconds"),
    ],
)  # fmt: skip
def test_a_library_that_makes_nothing(sound: Path, tmp_path: Path, source: dict[str, bytes], why: str) -> None:
    """A library that is too old, fails or does not end is told in one plain line."""
    root = copied(sound, tmp_path / "demo" / "archive")
    snapshot = snapshot_kept(root, "2026-10")
    run = run_kept(root, snapshot, dependencies=makings(root, snapshot, source=source))
    assert why in cannot(root, run.place, work=tmp_path / "work", way=replace(HERE, seconds=2))


def test_the_archive_is_no_place_to_work(sound: Path) -> None:
    """A folder inside the archive is refused before anything is written."""
    with pytest.raises(StoreError, match="lies in the archive"):
        again(sound, runs_of(sound)[0], work=sound / "work")


def test_no_such_python(sound: Path, tmp_path: Path) -> None:
    """A Python that is not there is told with what to do; so is a run that there is not."""
    place = runs_of(sound)[0]
    why = cannot(sound, place, work=tmp_path / "a", way=Way(python="/no/such/python"))
    assert why == "/no/such/python: is no Python that runs → name one with --python"
    with pytest.raises(StoreError, match=r"Python 2\.7 is not found"):
        interpreter("2.7")
    assert "no run is named" in cannot(sound, "2020-01/HWY/health_check", work=tmp_path / "b")


# --- the verdict ------------------------------------------------------------------------------------------------

FIGURE = {"name": "cpi", "value": 0.95, "unit": "ratio", "reason": None}
RESULTS = {"figures": [FIGURE], "tables": {"projects": {"columns": ["id", "cost"], "rows": [["A", 1], ["B", 2]]}},
           "explained": {"cpi": "EV / AC"}, "page_sha256": "1"}  # fmt: skip
NOTEBOOK = {"cells": [{"id": "a", "outputs": []}, {"id": "b", "outputs": [{"text": "one\ntwo"}]}]}
PAGE = b'<section id="costs">\n<p>one</p></section>'
BEFORE, AFTER = (f'tion id="costs">\n<p>{word}</p></section>' for word in ("one", "won"))


def written(files: Mapping[str, Any]) -> dict[str, bytes]:
    """Return documents as bytes."""
    return {name: one if isinstance(one, bytes) else canonical_json(one) for name, one in files.items()}


WRITTEN = written({"health_check.html": PAGE, "health_check.json": RESULTS, "health_check.ipynb": NOTEBOOK,
                   "findings.json": {}})  # fmt: skip


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """An archive with one run."""
    root = tmp_path_factory.mktemp("one") / "demo" / "archive"
    return root, run_kept(root, snapshot_kept(root, "2026-09"), files=WRITTEN)


def verdict_of(one: tuple[Path, Run], folder: Path, **changed: Any) -> Verdict:
    """Return the verdict on files of which some are changed; a file that is None is left out."""
    names = {"page": "health_check.html", "results": "health_check.json", "notebook": "health_check.ipynb"}
    given = WRITTEN | {names.get(key, key): value for key, value in changed.items()}
    for name, content in written({name: value for name, value in given.items() if value is not None}).items():
        (folder / name).write_bytes(content)
    return judged(kept(one[0], name=one[1].place), made=folder, where="here", machine=["Python: 3.11 → 3.12"])


def test_the_same_bytes_are_identical(one: tuple[Path, Run], tmp_path: Path) -> None:
    """The same bytes are identical, whatever the machine; how it was logged does not matter."""
    verdict = verdict_of(one, tmp_path)
    assert (verdict.word, verdict.why, list(verdict.lines())) == (IDENTICAL, (), [f"IDENTICAL: {one[1].place} (here)"])


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"page": PAGE.replace(b"one", b"won")}, f"health_check.html: line 2, in costs: {BEFORE!r} → {AFTER!r}"),
        ({"notebook": {"cells": [NOTEBOOK["cells"][0], {"id": "b", "outputs": [{"text": "one\ntoo"}]}]}},
         "health_check.ipynb: cells[1].outputs[0].text: line 2: 'one\\ntwo' → 'one\\ntoo'"),
        ({"notebook": {"cells": NOTEBOOK["cells"][:1]}}, "health_check.ipynb: cells: 2 elements → 1"),
        ({"results": RESULTS | {"explained": {"cpi": "AC / EV"}}},
         "health_check.json: explained.cpi: line 1: 'EV / AC' → 'AC / EV'"),
        ({"results": RESULTS | {"page_sha256": "2"}}, "health_check.json: page_sha256: line 1: '1' → '2'"),
        ({"findings.json": {"findings": 1}}, "findings.json: findings: is new"),
        ({"extract~x.csv": b"a"}, "extract~x.csv: was not there before"),
        ({"findings.json": None}, "findings.json: was not made"),
    ],
)  # fmt: skip
def test_the_same_figures(one: tuple[Path, Run], tmp_path: Path, changed: dict[str, Any], why: str) -> None:
    """Where all figures and tables are the same and another byte is not, it is told which file and where first."""
    verdict = verdict_of(one, tmp_path, **changed)
    assert (verdict.word, verdict.why) == (FIGURES, (why,))
    assert list(verdict.lines())[-1] == "  here: Python: 3.11 → 3.12"


@pytest.mark.parametrize(
    ("figures", "line"),
    [
        ([FIGURE | {"value": 0.96}], "figure cpi: 0.95 ratio → 0.96 ratio"),
        ([FIGURE | {"value": None, "reason": "no cost"}], "figure cpi: 0.95 ratio → not computable: no cost ratio"),
        ([FIGURE | {"unit": "share"}], "figure cpi: 0.95 ratio → 0.95 share"),
        ([], "figure cpi: 0.95 ratio → none"),
        ([FIGURE, FIGURE | {"name": "spi", "value": 1}], "figure spi: none → 1 ratio"),
    ],
)
def test_each_figure_old_and_new(one: tuple[Path, Run], tmp_path: Path, figures: list[Any], line: str) -> None:
    """A figure that is another, is gone or is new makes a run DIFFERENT, and is told old and new."""
    verdict = verdict_of(one, tmp_path, results=RESULTS | {"figures": figures})
    assert verdict.word == DIFFERENT
    assert f"  {line}" in list(verdict.lines())


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ([["A", 1], ["B", 3]], ["table projects: 1 rows differ (2 rows → 2)", "  row 2: cost: 2 → 3"]),
        ([["A", 1]], ["table projects: 1 rows differ (2 rows → 1)", '  row 2: ["B", 2] → null']),
        ([["A", 1.0], ["B", 2]], ["table projects: 1 rows differ (2 rows → 2)", "  row 1: cost: 1 → 1.0"]),
    ],
)
def test_each_table_with_its_rows(one: tuple[Path, Run], tmp_path: Path, rows: list[Any], lines: list[str]) -> None:
    """A table that is another makes a run DIFFERENT, and its rows are told."""
    tables = {"projects": {"columns": ["id", "cost"], "rows": rows}}
    verdict = verdict_of(one, tmp_path, results=RESULTS | {"tables": tables})
    assert verdict.word == DIFFERENT
    assert [line[2:] for line in verdict.lines()][2:-1] == lines


@pytest.mark.parametrize(
    "results", [None, b"[]", b"{", {"figures": 7, "tables": []}, {"figures": [3], "tables": {"projects": 1}}]
)
def test_results_that_are_none_are_different(one: tuple[Path, Run], tmp_path: Path, results: Any) -> None:
    """Whatever stands in the place of the results, it is not taken for the same figures."""
    assert verdict_of(one, tmp_path, results=results).word == DIFFERENT


# --- packages -----------------------------------------------------------------------------------------------------


def test_only_what_reports_run_with_is_kept() -> None:
    """The closure of what the library needs has its needs' needs, and no tool of its development."""
    names = closure(["pandas", "nbconvert"])
    assert {"pandas", "numpy", "python-dateutil", "six", "nbconvert", "traitlets"} <= names
    assert not names & {"pytest", "mypy", "hypothesis", "ruff"}
    with pytest.raises(ParameterError, match="no-such-package is not installed"):
        closure(["no-such-package"])


def test_lines_of_the_lock_are_chosen_by_name_and_python() -> None:
    """Of a lock come the lines of the packages that are named and of this Python, with all their hashes."""
    hashes = [f"--hash=sha256:{digit * 64}" for digit in "ab"]
    lock = (
        f"# made by hand\nOne_Two==1.0 \\\n    {hashes[0]} \\\n    {hashes[1]}\n"
        f"three==3 ; python_full_version < '3' \\\n    {hashes[0]}\n"
        f"four==4 ; python_version >= '3' \\\n    {hashes[1]}\n"
    )
    assert locked_lines(lock, names={"one-two"}) == [f"One_Two==1.0 {' '.join(hashes)}\n"]
    assert locked_lines(lock, names={"four"}) == [f"four==4 ; python_version >= '3' {hashes[1]}\n"]
    with pytest.raises(ParameterError, match="the lock lacks three"):
        locked_lines(lock, names={"three", "four"})


def test_a_wheelhouse_is_kept_once_and_found_by_its_lock(sound: Path, tmp_path: Path) -> None:
    """The newest wheelhouse of lock, Python and platform is found; keeping the same again makes no second entry."""
    root = copied(sound, tmp_path / "demo" / "archive")
    wheel = tmp_path / "six-1.17.0-py2.py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    of, lock = ("cp311", "linux-x86_64"), b"six==1.17.0\n"
    entry, same = (keep_wheels(Ledger(root, "jo"), lock=lock, of=of, wheels=[wheel], at=AT) for _ in range(2))
    assert entry == same
    entries = whole_ledger(root)
    house = wheels_of(root, entries=entries, lock=digest_of(lock), of=of)
    assert house is not None
    assert (house.files, house.entry) == ({wheel.name: digest_of(b"wheel")}, entry.sequence)
    assert wheels_of(root, entries=entries, lock=digest_of(lock), of=("cp312", "linux-x86_64")) is None
    house_paths = [object_path(digest_of(content)) for content in (b"wheel", lock)]
    assert verify(root).clean
    assert not {entry.path, *house_paths} & {notice.file for notice in verify(root).notices}
    (root / house_paths[0]).unlink()
    assert [(fault.file, fault.what) for fault in verify(root).faults] == [(house_paths[0], "missing")]
    rewrite(root / entry.path, (root / entry.path).read_bytes() + b" ")
    with pytest.raises(StoreError, match="altered"):
        wheels_of(root, entries=entries, lock=digest_of(lock), of=of)


@pytest.mark.parametrize(
    "name", ["../six-1-py3-none-any.whl", "-r.whl", "six-1.tar.gz", "a b-1-py3-none-any.whl", "six.whl"]
)
def test_a_wheel_with_a_strange_name_is_refused(tmp_path: Path, name: str) -> None:
    """A list of wheels that names another file than a wheel is refused before anything is written or installed."""
    document = {"schema": "pmo-wheels/1", "lock": "0" * 64, "python": "cp311", "platform": "linux-x86_64",
                "files": {name: "0" * 64}}  # fmt: skip
    dependency = put(tmp_path, "", canonical_json(document))
    ledger = Ledger(tmp_path, "jo")
    with ledger.held():
        about = {key: document[key] for key in ("lock", "python", "platform")}
        ledger.append("wheels", path=dependency.uri, sha256=dependency.sha256, about=about, at=AT)
    with pytest.raises(StoreError, match="is no list of wheels"):
        wheels_of(tmp_path, entries=ledger.entries, lock="0" * 64, of=("cp311", "linux-x86_64"))


# --- the real library -----------------------------------------------------------------------------------------------


def pmo(outputs: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    own = os.environ | {"PMO_OUTPUTS": str(outputs)} | variables
    return subprocess.run(
        [sys.executable, "-m", "pmo_lib.cli", *words], env=own, capture_output=True, text=True, check=False
    )


def test_a_real_roll_up_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A roll-up that the batch published is identical when its archived library makes it again, by either engine."""
    root = build(tmp_path / "house")
    monkeypatch.setenv("PMO_ROOT", str(root))
    monkeypatch.setenv("PMO_OUTPUTS", str(root / "outputs"))
    monkeypatch.chdir(tmp_path)
    done = pmo(root / "outputs", "run", "--period", "2026-09", PMO_ROOT=str(root))
    assert done.returncode == 0, done.stderr[-2000:]
    shutil.rmtree(root / "parameters")
    shutil.rmtree(root / "notebooks")
    shutil.rmtree(root / "outputs" / "demo" / "2026-09")
    summary = tmp_path / "verdicts.json"
    asked = ["rerun", "2026-09/whole", "--environment", "here", "--json", str(summary)]
    result = CliRunner().invoke(commands, asked)
    assert result.exit_code == 0, result.output
    (verdict,) = json.loads(summary.read_bytes())
    assert (verdict["word"], verdict["run"].startswith("runs/2026-09/_whole/whole-")) == (IDENTICAL, True)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three periods of two portfolios, all reported."""
    outputs = tmp_path_factory.mktemp("demo")
    done = pmo(outputs, "demo", "--periods", "3", "--portfolios", "2", "--projects", "4")
    assert done.returncode == 0, done.stderr[-2000:]
    for period in ("2026-07", "2026-08"):
        done = pmo(outputs, "run", "--period", period)
        assert done.returncode == 0, done.stderr[-2000:]
    return outputs


EARLIER = ("2026-08/portfolio_rollup", "2026-08/edition_record")


@pytest.mark.slow
def test_runs_of_a_demo_are_identical(demo: Path, tmp_path: Path) -> None:
    """All runs of a period, and those of an earlier one that read the others, are identical from a copy elsewhere."""
    outputs = tmp_path / "elsewhere"
    shutil.copytree(demo / "demo" / "archive", outputs / "demo" / "archive")
    done = pmo(outputs, "rerun", "2026-09", *EARLIER, "--environment", "here", "--jobs", "2")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "10 runs: 10 IDENTICAL"


@pytest.mark.slow
def test_a_fresh_environment_without_a_network(demo: Path, tmp_path: Path) -> None:
    """With the wheels kept, runs are identical in a fresh environment that has no network."""
    outputs = tmp_path / "elsewhere"
    shutil.copytree(demo / "demo" / "archive", outputs / "demo" / "archive")
    done = pmo(outputs, "archive", "wheels")
    if done.returncode:
        pytest.skip(f"no wheels can be had here: {done.stderr[-500:]}")
    cut = ["unshare", "-rn"] if subprocess.run(["unshare", "-rn", "true"], check=False).returncode == 0 else []
    own = os.environ | {
        "PMO_OUTPUTS": str(outputs),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    command = [*cut, sys.executable, "-m", "pmo_lib.cli", "rerun", "2026-09/portfolio_rollup"]
    made = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert made.stdout.startswith("IDENTICAL: ")
    assert f"in a fresh environment: Python {running().version}" in made.stdout
    assert "offline" in made.stdout
