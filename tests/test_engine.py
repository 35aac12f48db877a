"""Executing notebooks: the warm engine gives what a stock kernel gives, failures fail, parameters are checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jobs
import nbformat
import pytest
from hypothesis import given, settings, strategies as st

from pmo_lib.engine import INJECTED_ID, execute
from pmo_lib.errors import CellFailed, ParameterError, ReportError
from pmo_lib.workers import Outcome, Workers

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = jobs.NOTEBOOKS

SAME = (
    "awaits_at_top_level", "draws_figures", "echoes_parameters", "glues_results", "prints_and_warns",
    "reports_completely", "shows_rich_output", "tells_its_surroundings", "updates_displays", "writes_to_descriptors",
)  # fmt: skip
FAILING = {
    "does_not_parse": (2, "SyntaxError"),
    "fails_while_showing": (2, "ValueError"),
    "leaves_by_sys_exit": (2, "SystemExit"),
    "raises_after_await": (2, "ValueError"),
    "raises_in_a_cell": (4, "ZeroDivisionError"),
}
SET = {"organisation": "uk_gmpp"}

Run = Callable[[str, str], Outcome]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a fixture notebook once with an engine, in a process of its own; the outcome is kept."""
    folder, kept = tmp_path_factory.mktemp("executed"), dict[tuple[str, str], Outcome]()

    def once(name: str, engine: str) -> Outcome:
        if (name, engine) not in kept:
            given = SET if name != "tells_its_surroundings" else {}
            wanted = jobs.Wanted(name, engine, folder / f"{name}.{engine}.ipynb", given)
            (kept[name, engine],) = Workers(count=1, seconds=120, warm=jobs.WARM).run(jobs.run_notebook, jobs=[wanted])
        return kept[name, engine]

    return once


def ends(pid: int) -> bool:
    """Say whether a process ends within seconds; one that is dead but not yet waited for has ended."""
    stat = Path(f"/proc/{pid}/stat")
    for _ in range(100):
        if not stat.exists() or stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def outputs_of(outcome: Outcome, *, step: str) -> list[dict[str, Any]]:
    """Return the outputs of a cell of the notebook that a run wrote."""
    text = outcome.value.notebook if outcome.ok else outcome.job.output.read_text(encoding="utf-8")
    return next(cell["outputs"] for cell in json.loads(text)["cells"] if cell["id"] == step)


def shown(outcome: Outcome, *, step: str, kind: str = "text/plain") -> list[str]:
    """Return what a cell displayed, in one mime type."""
    return ["".join(output["data"][kind]) for output in outputs_of(outcome, step=step) if "data" in output]


# --- the same as a kernel -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAME)
def test_both_engines_write_the_same_notebook_and_page(name: str, run: Run) -> None:
    """The warm engine and a stock kernel give equal executed notebooks, byte by byte, and equal pages."""
    warm, stock = run(name, "pmo"), run(name, "kernel")
    assert warm.error is None, warm.error
    assert stock.error is None, stock.error
    assert warm.value.notebook == stock.value.notebook
    assert warm.value.page == stock.value.page


@pytest.mark.parametrize("name", FAILING)
def test_both_engines_fail_alike(name: str, run: Run) -> None:
    """A cell that raises fails the report with either engine: same cell, same error, same notebook for diagnosis."""
    warm, stock = run(name, "pmo"), run(name, "kernel")
    cell, ename = FAILING[name]
    for outcome in (warm, stock):
        assert isinstance(outcome.error, CellFailed)
        assert (outcome.error.data["cell"], outcome.error.data["ename"]) == (cell, ename)
        assert outcome.error.data["stage"] == "notebook"
        assert "\x1b" not in outcome.error.data["traceback"]
    assert warm.error is not None
    assert stock.error is not None
    assert warm.error.data == stock.error.data
    assert warm.job.output.read_bytes() == stock.job.output.read_bytes()


def test_nothing_runs_after_a_failure(run: Run) -> None:
    """Cells after the one that raised have neither outputs nor an execution count."""
    outcome = run("raises_in_a_cell", "pmo")
    cells = json.loads(outcome.job.output.read_text(encoding="utf-8"))["cells"]
    assert [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"] == [1, 2, 3, 4, None]
    assert outputs_of(outcome, step="step-4") == []
    assert outcome.error is not None
    assert "amount / 0" in outcome.error.data["traceback"]
    assert outcome.error.data["source"].endswith("divide(1)")


def test_rich_display_is_kept(run: Run) -> None:
    """Every representation that an object offers is in the notebook, results with the number of their cell."""
    outcome = run("shows_rich_output", "pmo")
    table, result = outputs_of(outcome, step="step-2")
    assert {"text/html", "text/plain"} == set(table["data"]) == set(result["data"])
    assert (table["output_type"], result["output_type"], result["execution_count"]) == (
        "display_data", "execute_result", 3,
    )  # fmt: skip
    assert [sorted(set(output["data"]) - {"text/plain"}) for output in outputs_of(outcome, step="step-3")] == [
        ["text/html"], ["text/markdown"], ["text/latex"], ["image/svg+xml"], ["image/png"],
    ]  # fmt: skip
    assert shown(outcome, step="step-4") == ["both as text"]
    assert shown(outcome, step="step-4", kind="text/html") == ["<em>both as html</em>"]
    assert shown(outcome, step="step-5") == ["('a <b>last</b> expression', {'b': 2, 'a': [1, 2]}, {'a'})"]
    assert outputs_of(outcome, step="step-7") == []


def test_displays_are_updated_in_place(run: Run) -> None:
    """An update reaches the displays of its id in every cell; a cleared output is gone, at once or with the next."""
    outcome = run("updates_displays", "pmo")
    assert shown(outcome, step="step-2") == ["'second'", "'changed in two cells'"]
    assert shown(outcome, step="step-3")[0] == "'changed in two cells'"
    assert outputs_of(outcome, step="step-4") == []
    assert shown(outcome, step="step-5") == ["'stays'"]
    assert shown(outcome, step="step-6") == ["'replacement'"]


def test_streams_are_text_by_name(run: Run) -> None:
    """Print and warnings are stream outputs, in one piece for each stream, with a cell name that does not change."""
    outcome = run("prints_and_warns", "pmo")
    told = {output["name"]: "".join(output["text"]) for output in outputs_of(outcome, step="step-2")}
    assert told == {"stdout": "one two\nthree\n", "stderr": "error text\n"}
    (warned,) = outputs_of(outcome, step="step-3")
    assert "<cell>:1: UserWarning: a user warning" in "".join(warned["text"])
    assert "DeprecationWarning: a deprecation" in "".join(warned["text"])
    assert [output.get("name", "display") for output in outputs_of(outcome, step="step-5")] == ["stdout", "display"]


def test_await_works_outside_of_functions(run: Run) -> None:
    """Top-level await runs in a loop that is running, as in a kernel."""
    outcome = run("awaits_at_top_level", "pmo")
    assert shown(outcome, step="step-2") == ["3"]
    assert shown(outcome, step="step-3") == ["3"]
    assert shown(outcome, step="step-4") == ["True"]


def test_glued_results_are_kept(run: Run) -> None:
    """What scrapbook glues is in the notebook under its mime type, without a warning that there is no kernel."""
    outputs = outputs_of(run("glues_results", "pmo"), step="step-2")
    assert {output["output_type"] for output in outputs} == {"display_data"}
    glued = {
        output["metadata"]["scrapbook"]["name"]: (kind, content["data"])
        for output in outputs
        for kind, content in output["data"].items()
        if kind.startswith("application/scrapbook.scrap")
    }
    assert glued["rating"] == ("application/scrapbook.scrap.json+json", {"unit": "share", "value": 0.5})
    assert glued["rows"] == ("application/scrapbook.scrap.json+json", [1, 2, 3])
    assert glued["table"][0] == "application/scrapbook.scrap.pandas+json"


def test_figures_are_kept_as_data(run: Run) -> None:
    """A figure is in the notebook as plotly's mime type, whether shown, last in its cell, or displayed as a bundle."""
    outcome = run("draws_figures", "pmo")
    for step in ("step-2", "step-3", "step-4"):
        (output,) = outputs_of(outcome, step=step)
        assert "application/vnd.plotly.v1+json" in output["data"]


def test_writes_to_descriptors_are_seen(run: Run) -> None:
    """What C code and subprocesses write past Python becomes a stream of its cell, so that the gate can refuse it."""
    outcome = run("writes_to_descriptors", "pmo")
    told = {output["name"]: "".join(output["text"]) for output in outputs_of(outcome, step="step-1")}
    assert told == {"stdout": "from os.write\nfrom a child\n", "stderr": "error\n"}
    assert ["".join(output["text"]) for output in outputs_of(outcome, step="step-3")] == ["later\n"]


# --- ways to leave half-way -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["pmo", "kernel"])
@pytest.mark.parametrize("name", ["leaves_by_exit", "leaves_by_sys_exit"])
def test_leaving_is_an_error(name: str, engine: str, run: Run) -> None:
    """exit() and sys.exit(0) fail the report, although papermill takes the second for success."""
    error = run(name, engine).error
    assert isinstance(error, CellFailed)
    assert error.data["ename"] == "SystemExit"
    assert "let the notebook run to its end" in str(error)


def test_the_end_of_the_process_is_an_error(run: Run) -> None:
    """os._exit(0) in a cell is a failure: the child dies in one engine, the kernel in the other."""
    warm, stock = run("ends_the_process", "pmo").error, run("ends_the_process", "kernel").error
    assert isinstance(warm, ReportError)
    assert "exit code 0 before it had a result" in str(warm)
    assert isinstance(stock, ReportError)
    assert "DeadKernelError" in str(stock)


@pytest.mark.parametrize("engine", ["pmo", "kernel"])
def test_nobody_answers_a_question(engine: str, run: Run) -> None:
    """input() fails at once instead of waiting for somebody."""
    error = run("asks_for_input", engine).error
    assert isinstance(error, CellFailed)
    assert error.data["ename"] == "StdinNotImplementedError"


@pytest.mark.parametrize(("engine", "seconds"), [("pmo", 5), pytest.param("kernel", 30, marks=pytest.mark.slow)])
def test_a_slow_notebook_is_stopped_with_its_kernel(engine: str, seconds: int, tmp_path: Path) -> None:
    """At the time limit the process that runs the cells is killed, a kernel in a process group of its own too."""
    pid_file = tmp_path / "pid"
    wanted = jobs.Wanted("sleeps_for_a_minute", engine, tmp_path / "out.ipynb", {"organisation": str(pid_file)})
    (outcome,) = Workers(count=1, seconds=seconds, warm=jobs.WARM).run(jobs.run_notebook, jobs=[wanted])
    assert outcome.error is not None
    assert outcome.error.data["stage"] == "time limit"
    assert ends(int(pid_file.read_text(encoding="utf-8")))
    assert not wanted.output.exists()


def test_a_kernel_is_not_run_inside_a_kernel() -> None:
    """Where a shell exists already, as in JupyterLab, the warm engine refuses instead of replacing it."""
    (outcome,) = Workers(warm=jobs.WARM).run(jobs.execute_inside_a_kernel, jobs=[None])
    assert isinstance(outcome.error, ReportError)
    assert "is a Jupyter kernel already" in str(outcome.error)


# --- the same bytes -------------------------------------------------------------------------------------------------

DRIVER = f"""
import sys; sys.path[:0] = [{str(NOTEBOOKS.parent)!r}, {str(ROOT)!r}]
import hashlib, jobs, pathlib
from pmo_lib.workers import Workers
names = ["shows_rich_output", "reports_completely", "tells_its_surroundings", "draws_figures"]
wanted = [jobs.Wanted(name, "pmo", pathlib.Path(name + ".ipynb")) for name in names]
for one in sorted(Workers(warm=jobs.WARM).run(jobs.run_notebook, jobs=wanted), key=lambda one: one.index):
    print(hashlib.sha256((one.value.notebook + one.value.page).encode()).hexdigest())
"""


def digests(folder: Path, **environment: str) -> list[str]:
    """Run a driver of its own in a folder and an environment; return digests of its notebooks and pages."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True,
        check=True, timeout=120,
    )  # fmt: skip
    return done.stdout.split()


def test_the_same_bytes_anywhere(tmp_path: Path) -> None:
    """Folder, home, time zone, locale and hash seed of the driver leave no trace in notebook and page."""
    here, there, home = (tmp_path / name for name in ("here", "there", "home"))
    for folder in (here, there, home):
        folder.mkdir()
    first = digests(here, PYTHONHASHSEED="1", TZ="America/New_York")
    second = digests(there, PYTHONHASHSEED="77", TZ="Asia/Tokyo", LC_ALL="C", HOME=str(home), COLUMNS="40")
    assert len(first) == 4
    assert first == second
    assert list(home.iterdir()) == [], "the engine wrote into the home folder"


def test_a_notebook_without_ids_gets_stable_ones(tmp_path: Path) -> None:
    """Cells of an older notebook format are numbered instead of drawing ids at random."""
    document = json.loads((NOTEBOOKS / "echoes_parameters.ipynb").read_text(encoding="utf-8"))
    for cell in document["cells"]:
        del cell["id"]
    document["nbformat_minor"] = 4
    (tmp_path / "old.ipynb").write_text(json.dumps(document), encoding="utf-8")
    executed = execute(tmp_path / "old.ipynb", parameters={"year": 2025})
    assert [cell.id for cell in executed.cells] == ["cell-0", INJECTED_ID, "cell-1", "cell-2"]


def test_a_failed_notebook_can_be_written_alone(tmp_path: Path) -> None:
    """The notebook is written to the path of failures with its traceback if it failed, and not at all if it did not."""
    execute(NOTEBOOKS / "echoes_parameters.ipynb", parameters={"year": 2025}, failed_path=tmp_path / "good.ipynb")
    with pytest.raises(CellFailed):
        execute(NOTEBOOKS / "raises_in_a_cell.ipynb", parameters={}, failed_path=tmp_path / "bad.ipynb")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.ipynb"]
    outputs = [one for cell in nbformat.read(tmp_path / "bad.ipynb", 4).cells for one in cell.get("outputs", ())]
    assert [one.output_type for one in outputs].count("error") == 1


def test_an_executed_notebook_holds_no_time_and_no_path(tmp_path: Path) -> None:
    """Papermill's times and paths, and the version of Python, are not in the executed notebook."""
    executed = execute(
        NOTEBOOKS / "echoes_parameters.ipynb", parameters={"year": 2025}, output_path=tmp_path / "o.ipynb"
    )
    assert executed.metadata.papermill == {"parameters": {"year": 2025}}
    assert executed.metadata.language_info == {"name": "python", "pygments_lexer": "ipython3"}
    assert all(set(cell.metadata) <= {"tags"} for cell in executed.cells)
    written = (tmp_path / "o.ipynb").read_text(encoding="utf-8")
    assert str(tmp_path) not in written
    assert str(ROOT) not in written
    assert nbformat.reads(written, as_version=4) == executed


# --- in this process ------------------------------------------------------------------------------------------------


def test_the_process_is_what_it_was(tmp_path: Path) -> None:
    """After an execution streams, environment, main module, input and shell of the process are as before."""
    import builtins

    from IPython.core.interactiveshell import InteractiveShell

    def state() -> list[Any]:
        holders = (sys.stdin, sys.stdout, sys.stderr, sys.displayhook, sys.excepthook, builtins.input)
        return [*holders, sys.modules["__main__"], dict(os.environ), threading.active_count(), Path.cwd(),
                os.fstat(1), hasattr(builtins, "display"), InteractiveShell.initialized()]  # fmt: skip

    before = state()
    with pytest.raises(CellFailed):
        execute(NOTEBOOKS / "raises_in_a_cell.ipynb", parameters={})
    execute(NOTEBOOKS / "shows_rich_output.ipynb", parameters={})
    assert state() == before


def test_papermill_finds_the_engine_by_its_entry_point(tmp_path: Path) -> None:
    """Papermill's own interface runs notebooks with ``--engine pmo`` once the package is installed.

    Papermill loads its engines while it is being imported: our room may have been imported first, or not at all.
    """
    about = tmp_path / "pmo_lib-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pmo-lib\nVersion: 0.1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[papermill.engine]\npmo = pmo_lib.engine:WarmEngine\n", encoding="utf-8")
    for number, first in enumerate(("import papermill", "import pmo_lib.engine, papermill")):
        script = (
            f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}]\n{first}\n"
            f"papermill.execute_notebook({str(NOTEBOOKS / 'updates_displays.ipynb')!r}, 'out{number}.ipynb',"
            " {'organisation': 'x'}, engine_name='pmo', progress_bar=False)\n"
        )
        subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=120)
        assert "changed in two cells" in (tmp_path / f"out{number}.ipynb").read_text(encoding="utf-8")


# --- parameters -----------------------------------------------------------------------------------------------------

NASTY = [
    "007", "2026_01", "nan", "NO", "1e3", "12:30", "", " ", "'", '"', "\\", '\\"', "'''", '"""', "{x}", "{{", "%s",
    "$HOME", "a\nb", "a\r\n", "\t", "é ✓ 𝄞 \u2028", "__import__('os')", "]; import os #", "\x7f", "</script>",
]  # fmt: skip


@pytest.mark.parametrize("engine", ["pmo", "kernel"])
def test_values_arrive_as_they_were_sent(engine: str, tmp_path: Path) -> None:
    """Text that looks like a number, code or markup, numbers, flags, null, lists and mappings pass unchanged."""
    given = {
        "portfolio": "007", "year": -3, "threshold": 0.1, "strict": True, "tags": NASTY,
        "options": {'"k"': 1.5, "": -0.0},
    }  # fmt: skip
    wanted = jobs.Wanted("echoes_parameters", engine, tmp_path / "out.ipynb", given)
    (outcome,) = Workers(warm=jobs.WARM, seconds=120).run(jobs.run_notebook, jobs=[wanted])
    assert outcome.error is None
    (output,) = outputs_of(outcome, step="step-2")
    assert output["data"]["application/json"] == given


BAD_PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown name": ({"portfolo": "x"}, "unknown parameter 'portfolo' (did you mean 'portfolio'?)"),
    "unlike any name": ({"zzz": "x"}, "there are organisation, period, portfolio"),
    "code as a name": ({"x=1; import os": "x"}, "is no name for a parameter"),
    "keyword as a name": ({"class": "x"}, "is no name for a parameter"),
    "text for a number": ({"year": "2026"}, "year = '2026' is str, not int"),
    "fraction for a whole number": ({"year": 2026.5}, "year = 2026.5 is float, not int"),
    "flag for a number": ({"year": True}, "year = True is bool, not int"),
    "flag for a fraction": ({"threshold": True}, "threshold = True is bool, not float"),
    "number for a text": ({"period": 202601}, "period = 202601 is int, not str"),
    "null for a text": ({"period": None}, "period = None is NoneType, not str"),
    "number for a text or null": ({"portfolio": 7}, "portfolio = 7 is int, not str | None"),
    "number for a flag by default": ({"strict": 1}, "strict = 1 is int, not bool"),
    "wrong item": ({"tags": ["a", 1]}, "is list, not list[str]"),
    "wrong value in a mapping": ({"options": {"a": "b"}}, "is dict, not dict[str, float]"),
    "path": ({"period": Path("x")}, "is not text, number, flag, null, list or mapping"),
    "tuple": ({"tags": ("a",)}, "tuple is not text"),
}


@pytest.mark.parametrize("case", BAD_PARAMETERS)
def test_wrong_parameters_are_refused_before_anything_runs(case: str, tmp_path: Path) -> None:
    """An unknown name or a value of another type is an error that names it, and nothing is written."""
    parameters, words = BAD_PARAMETERS[case]
    with pytest.raises(ParameterError) as caught:
        execute(NOTEBOOKS / "echoes_parameters.ipynb", parameters=parameters, output_path=tmp_path / "out.ipynb")
    assert words in str(caught.value)
    assert len(caught.value.data["problems"]) == 1
    assert not list(tmp_path.iterdir())


def test_all_problems_are_told_at_once() -> None:
    """Every wrong parameter is in one error."""
    with pytest.raises(ParameterError) as caught:
        execute(NOTEBOOKS / "echoes_parameters.ipynb", parameters={"yaer": 1, "year": "x", "period": 3, "strict": True})
    assert [problem.split(" ")[0] for problem in caught.value.data["problems"]] == ["unknown", "year", "period"]


@pytest.mark.parametrize("value", [0, 3, 2.5])
def test_whole_numbers_are_numbers(value: float) -> None:
    """A parameter of type float takes whole numbers too."""
    executed = execute(NOTEBOOKS / "echoes_parameters.ipynb", parameters={"threshold": value, "portfolio": None})
    assert executed.metadata.papermill.parameters == {"portfolio": None, "threshold": value}


BAD_CELLS = {
    "no tag": ([("a: int = 1", [])], "0 code cells are tagged 'parameters'"),
    "two tags": ([("a: int = 1", ["parameters"]), ("b: int = 1", ["parameters"])], "2 code cells are tagged"),
    "a call": ([("import os\na = os.getcwd()", ["parameters"])], "assignments of literals only"),
    "an expression": ([("a = 1 + x", ["parameters"])], "assignments of literals only"),
    "no Python": ([("a = (", ["parameters"])], "assignments of literals only"),
    "two names": ([("a = b = 1", ["parameters"])], "line 1 is no assignment"),
    "strange type": ([("a: Decimal = 1", ["parameters"])], "the annotation Decimal is not understood"),
}


@pytest.mark.parametrize("case", BAD_CELLS)
def test_a_notebook_without_clear_parameters_is_refused(case: str, tmp_path: Path) -> None:
    """A notebook declares its parameters in exactly one tagged cell of literals; papermill would only warn."""
    cells, words = BAD_CELLS[case]
    write(tmp_path / "n.ipynb", cells=cells)
    with pytest.raises(ParameterError, match=r"n\.ipynb") as caught:
        execute(tmp_path / "n.ipynb", parameters={"a": 2})
    assert words in str(caught.value)


def write(path: Path, *, cells: list[tuple[str, list[str]]]) -> None:
    """Write a notebook of code cells with tags."""
    made = [nbformat.v4.new_code_cell(source, metadata={"tags": tags}) for source, tags in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)


@pytest.mark.parametrize("content", [None, "", "{}", '{"cells": 3, "nbformat": 4, "nbformat_minor": 5}', "no JSON"])
def test_what_is_no_notebook_is_refused(content: str | None, tmp_path: Path) -> None:
    """A file that is missing or no notebook is a parameter error that names it."""
    if content is not None:
        (tmp_path / "n.ipynb").write_text(content, encoding="utf-8")
    with pytest.raises(ParameterError, match=r"n\.ipynb: this notebook cannot be read"):
        execute(tmp_path / "n.ipynb", parameters={})


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@settings(deadline=None)
@given(value=plain)
def test_a_value_fits_its_own_type_only(value: Any) -> None:
    """Whatever JSON value is sent to ``year: int``, the notebook runs exactly if it is a whole number."""
    expected = ReportError if type(value) is int else ParameterError
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pmo_lib.engine._run", _stop)
        with pytest.raises(expected):
            execute(NOTEBOOKS / "echoes_parameters.ipynb", parameters={"year": value})


def _stop(*_: object, **__: object) -> None:
    raise ReportError("would run")


def test_literal_types_allow_only_their_values(tmp_path: Path) -> None:
    """A parameter annotated with Literal takes the values that it lists."""
    write(
        tmp_path / "n.ipynb", cells=[("engine: \"Literal['a', 'b']\" = 'a'\nname: 'str | None' = None", ["parameters"])]
    )
    execute(tmp_path / "n.ipynb", parameters={"engine": "b", "name": "x"})
    with pytest.raises(ParameterError, match="not Literal"):
        execute(tmp_path / "n.ipynb", parameters={"engine": "c"})
