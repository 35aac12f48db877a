"""The lint of our notebooks: thin, four kinds of cell and no other, nothing stored, nothing hidden.

A notebook is data to this file: it is read, never run (nbval runs it, see ``make test``).
"""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

CODE_CELLS = 14
CODE_LINES = 60
CELL_LINES = 6

# What a notebook is made of: where a metric meets a figure. Sources, snapshots and files are not its business.
IMPORTABLE = {"extracts", "figures", "metrics", "report", "sentences", "tables"}
SHOWS = {"kpis", "show"}
NOT_CALLED = {"display", "eval", "exec", "exit", "getpass", "input", "open", "print", "quit"}
LOOPS = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr, ast.Await)
PATH = re.compile(
    r"^(~|\.{0,2}[/\\]|[A-Za-z]:[/\\])|://|\.(csv|html|ipynb|json|parquet|py|txt|xlsx?|ya?ml)$|^[\w.-]+/[\w./-]+$"
)
COLOUR = re.compile(r"#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?\b|\b(rgb|hsl)a?\(")
RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){0,3}.*")

Cell = dict[str, Any]


def source(cell: Cell) -> str:
    """Return a cell's text."""
    return "".join(cell["source"])


def code_lines(text: str) -> int:
    """Count lines that are neither blank nor only a comment."""
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in text.splitlines())


def called(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    """Return every call with the last part of the name that is called."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [(ast.unparse(call.func).rpartition(".")[2], call) for call in calls]


def shown(tree: ast.AST) -> list[str]:
    """Return the exhibits that a cell shows, by their literal names."""
    return [
        str(call.args[0].value)
        for name, call in called(tree)
        if name == "show" and call.args and isinstance(call.args[0], ast.Constant)
    ]


def problems(notebook: dict[str, Any], *, name: str, exhibits: list[str]) -> Iterator[str]:
    """Yield everything that keeps a notebook from being one of ours, each with the id of its cell."""
    yield from bad_metadata(notebook)
    cells = notebook["cells"]
    for cell in cells:
        yield from bad_cell(cell)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    try:
        trees = [ast.parse(source(cell)) for cell in code]
    except SyntaxError as error:
        yield f"a cell is not Python: {error.text!r}"
        return
    if len(code) < 4:
        yield f"{len(code)} code cells: parameters, begin, pairs and publish are four kinds"
        return
    yield from over_budget(code, begin=trees[1])
    for cell, tree in zip(code, trees, strict=True):
        yield from (f"{cell.get('id')}: {problem}" for problem in bad_code(tree))
    yield from (f"{code[0].get('id')}: {problem}" for problem in bad_parameters(code[0], tree=trees[0]))
    yield from (f"{code[1].get('id')}: {problem}" for problem in bad_begin(trees[1], name=name))
    for cell, tree in zip(code[2:-1], trees[2:-1], strict=True):
        before = cells[cells.index(cell) - 1]
        yield from (f"{cell.get('id')}: {problem}" for problem in bad_pair(tree, before=before))
    yield from (f"{code[-1].get('id')}: {problem}" for problem in bad_publish(trees[-1]))
    if (told := [each for tree in trees for each in shown(tree)]) != exhibits:
        yield f"shows {told}, but parameters/reports.yml lists {exhibits}"


def bad_metadata(notebook: dict[str, Any]) -> Iterator[str]:
    """Yield what the notebook says about itself and should not."""
    metadata = notebook["metadata"]
    if (notebook["nbformat"], notebook["nbformat_minor"] >= 5) != (4, True):
        yield "is not of format 4.5 or newer, which has cell ids"
    if metadata.get("kernelspec", {}).get("name") != "python3":
        yield "kernelspec is not python3"
    if extra := sorted(metadata.keys() - {"kernelspec", "language_info"}):
        yield f"metadata holds {extra}"
    ids = [cell.get("id") for cell in notebook["cells"]]
    if len(ids) != len(set(ids)):
        yield "cell ids are not unique"
    tagged = [cell.get("id") for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", ())]
    if len(tagged) != 1:
        yield f"{len(tagged)} cells are tagged parameters: {tagged}"


def bad_cell(cell: Cell) -> Iterator[str]:
    """Yield what a cell stores or hides."""
    name = str(cell.get("id"))
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or RANDOM_ID.fullmatch(name):
        yield f"{name}: a cell id is a name of its own, such as 'movements'"
    if cell["cell_type"] not in ("code", "markdown"):
        yield f"{name}: is a {cell['cell_type']} cell"
    if cell.get("outputs"):
        yield f"{name}: has stored outputs"
    if cell.get("execution_count") is not None:
        yield f"{name}: has an execution count"
    if extra := sorted({*cell["metadata"].keys()} - {"tags"} | {*cell["metadata"].get("tags", ())} - {"parameters"}):
        yield f"{name}: metadata or tags {extra}: nothing is hidden, skipped or allowed to fail"


def over_budget(code: list[Cell], *, begin: ast.Module) -> Iterator[str]:
    """Yield where the notebook is too long.

    The begin cell is counted in statements: it is imports and one call, which the formatter breaks at every parameter.
    """
    sizes = {str(cell.get("id")): code_lines(source(cell)) for cell in code}
    if len(code) > CODE_CELLS:
        yield f"{len(code)} code cells, above {CODE_CELLS}"
    if (total := sum(sizes.values())) > CODE_LINES:
        yield f"{total} code lines, above {CODE_LINES}"
    for name, size in (sizes | {str(code[1].get("id")): len(begin.body)}).items():
        if size > CELL_LINES:
            yield f"{name}: {size} lines, above {CELL_LINES}"


def bad_code(tree: ast.Module) -> Iterator[str]:
    """Yield what no cell may hold: logic, output of its own, a path, a colour."""
    for statement in tree.body:
        if not isinstance(statement, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign | ast.Expr):
            yield f"{type(statement).__name__} is logic: it belongs into pmo_lib"
    for node in ast.walk(tree):
        if isinstance(node, LOOPS):
            yield f"{type(node).__name__} is logic: it belongs into pmo_lib"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if PATH.search(node.value):
                yield f"{node.value!r} is a path"
            elif COLOUR.search(node.value):
                yield f"{node.value!r} is a colour"
    yield from (f"calls {name}" for name, _ in called(tree) if name in NOT_CALLED)


def bad_parameters(cell: Cell, *, tree: ast.Module) -> Iterator[str]:
    """Yield where the first code cell is not: typed names with literal defaults, each with a comment, tagged."""
    if "parameters" not in cell["metadata"].get("tags", ()):
        yield "the first code cell is not the one tagged parameters"
    lines = source(cell).splitlines()
    for statement in tree.body:
        if not isinstance(statement, ast.AnnAssign) or statement.value is None:
            yield "a parameter is written name: type = default"
        elif "#" not in lines[(statement.end_lineno or 1) - 1]:
            yield f"{ast.unparse(statement.target)} has no comment"
        elif not literal(statement.value):
            yield f"{ast.unparse(statement.target)} has a default that is no literal"


def literal(node: ast.expr) -> bool:
    """Whether an expression is a plain value."""
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def bad_begin(tree: ast.Module, *, name: str) -> Iterator[str]:
    """Yield where the second code cell is not: imports from pmo_lib, then ``book = report.begin(its own name, …)``."""
    begun = [call for called_name, call in called(tree) if called_name == "begin"]
    if len(begun) != 1:
        yield "does not begin the report"
    elif not any(isinstance(node, ast.Constant) and node.value == name for node in ast.walk(begun[0])):
        yield f"does not begin the report {name!r}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            rooms = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            rooms = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for room in rooms:
            if room.split(".")[0] != "pmo_lib" or room.split(".")[1] not in IMPORTABLE:
                yield f"imports {room}: a notebook brings metrics, figures, tables and sentences together"
    if any(called_name in SHOWS | {"publish"} for called_name, _ in called(tree)):
        yield "shows or publishes"


def bad_pair(tree: ast.Module, *, before: Cell) -> Iterator[str]:
    """Yield where a cell is not the second of a pair: the reader's question, then compute and show."""
    heading = source(before).split("\n")[0].strip() if before["cell_type"] == "markdown" else ""
    if not re.fullmatch(r"#{1,4} .+\?", heading):
        yield "no heading that asks the reader's question stands before it"
    names = {name for name, _ in called(tree)}
    if not names & SHOWS:
        yield "shows nothing"
    if names & {"begin", "publish"} or any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree)):
        yield "imports, begins or publishes in the middle"


def bad_publish(tree: ast.Module) -> Iterator[str]:
    """Yield where the last code cell does not publish, once, and nothing else."""
    names = [name for name, _ in called(tree)]
    if names.count("publish") != 1:
        yield "the last code cell does not publish"
    if {*names} & (SHOWS | {"begin"}) or any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree)):
        yield "imports, begins or shows where it publishes"


def read_reports() -> dict[str, list[str]]:
    """Return the exhibits of every report in parameters/reports.yml, in reading order."""
    reports = YAML(typ="safe").load((ROOT / "parameters" / "reports.yml").read_text(encoding="utf-8"))["reports"]
    return {report["name"]: [exhibit["id"] for exhibit in report["exhibits"]] for report in reports}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_thin_and_clean(path: Path) -> None:
    """A notebook holds the four kinds of cell within their budgets, shows its exhibits in order, and stores nothing."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    found = list(problems(notebook, name=path.stem, exhibits=read_reports().get(path.stem, [])))
    assert not found, "\n".join(found)


def test_every_report_has_its_notebook() -> None:
    """parameters/reports.yml lists exactly the notebooks that there are."""
    assert sorted(read_reports()) == [path.stem for path in NOTEBOOKS]


# --- the check of the check -----------------------------------------------------------------------------------


def _cell(name: str, text: str, *, tags: tuple[str, ...] = ()) -> Cell:
    code = {"execution_count": None, "outputs": []}
    kind = "markdown" if text.startswith("#") else "code"
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": kind, "id": name, "metadata": metadata, "source": text} | (code if kind == "code" else {})


SOUND = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "cells": [
        _cell("title", "# Risk register"),
        _cell(
            "parameters",
            'organisation: str = "demo"  # a folder\nperiod: str = "2026-09"  # the month',
            tags=("parameters",),
        ),
        _cell(
            "begin",
            "from pmo_lib.metrics import risk\nfrom pmo_lib import report\n\n"
            'book = report.begin("risk_register", organisation=organisation, period=period)',
        ),
        _cell("ask-headline", "## What could hurt us?\n\nExposure in money, N/A where none is given."),
        _cell("headline", 'exposure = risk.exposure(book.table("risks"))\nbook.show("headline", exposure)'),
        _cell("ask-late", "### Is anyone on it?"),
        _cell("late", 'book.show("late", risk.overdue(book.table("risks"), on=book.status_date))'),
        _cell("publish", 'book.publish(figures=exposure, tables={"exposure": exposure})'),
    ],
}  # fmt: skip


def linted(change: Callable[[dict[str, Any], list[Cell]], object]) -> list[str]:
    """Return the problems of the sound notebook after one change."""
    notebook = copy.deepcopy(SOUND)
    change(notebook, notebook["cells"])
    return list(problems(notebook, name="risk_register", exhibits=["headline", "late"]))


def _set(cell: int, **what: object) -> Callable[[dict[str, Any], list[Cell]], object]:
    return lambda notebook, cells: cells[cell].update(what)


def _code(text: str, *, cell: int = 4) -> Callable[[dict[str, Any], list[Cell]], object]:
    return lambda notebook, cells: cells[cell].update(source=f"{cells[cell]['source']}\n{text}")


def _metadata(**what: object) -> Callable[[dict[str, Any], list[Cell]], object]:
    return lambda notebook, cells: notebook["metadata"].update(what)


def _pairs(count: int) -> Callable[[dict[str, Any], list[Cell]], object]:
    def insert(notebook: dict[str, Any], cells: list[Cell]) -> None:
        for number in range(count):
            cells[7:7] = [_cell(f"ask-more-{number}", "## And?"), _cell(f"more-{number}", "book.kpis(exposure)")]

    return insert


def _longer(cell: Cell) -> None:
    cell["source"] = "a = 1\nb = 2\nc = 3\nd = 4\ne = 5\n" + cell["source"]


BROKEN = (
    (_set(4, outputs=[{"output_type": "stream"}]), "headline: has stored outputs"),
    (_set(4, execution_count=3), "headline: has an execution count"),
    (_set(4, metadata={"tags": ["raises-exception"]}), "['raises-exception']"),
    (_set(4, metadata={"jupyter": {"source_hidden": True}}), "headline: metadata or tags ['jupyter']"),
    (_set(4, metadata={"papermill": {}}), "headline: metadata or tags ['papermill']"),
    (_set(4, metadata={"tags": ["parameters"]}), "2 cells are tagged parameters"),
    (_set(1, metadata={}), "0 cells are tagged parameters"),
    (_set(4, id="1f3a9c77"), "1f3a9c77: a cell id is a name"),
    (_set(4, id="c0ffee12-ab12-cd34-ef56-0123456789ab"), "a cell id is a name"),
    (_set(4, id=None), "None: a cell id is a name"),
    (_set(4, id="late"), "cell ids are not unique"),
    (_set(5, cell_type="raw"), "ask-late: is a raw cell"),
    (_metadata(kernelspec={"name": "pmo"}), "kernelspec is not python3"),
    (_metadata(papermill={"duration": 1}), "metadata holds ['papermill']"),
    (lambda notebook, cells: notebook.update(nbformat_minor=4), "is not of format 4.5"),
    (_code("%matplotlib inline"), "a cell is not Python"),
    (_code("def f():\n    return 1"), "headline: FunctionDef is logic"),
    (_code("class A:\n    x = 1"), "headline: ClassDef is logic"),
    (_code("for row in exposure:\n    x = row"), "headline: For is logic"),
    (_code("while True:\n    x = 1"), "headline: While is logic"),
    (_code("if period:\n    x = 1"), "headline: If is logic"),
    (_code("try:\n    x = 1\nexcept ValueError:\n    x = 2"), "headline: Try is logic"),
    (_code("with book:\n    x = 1"), "headline: With is logic"),
    (_code("assert period"), "headline: Assert is logic"),
    (_code("x = [row for row in exposure]"), "headline: ListComp is logic"),
    (_code("x = sum(row for row in exposure)"), "headline: GeneratorExp is logic"),
    (_code("x = exposure.pipe(lambda rows: rows)"), "headline: Lambda is logic"),
    (_code("print(exposure)"), "headline: calls print"),
    (_code("x = input()"), "headline: calls input"),
    (_code("display(exposure)"), "headline: calls display"),
    (_code("x = 'outputs/demo'"), "'outputs/demo' is a path"),
    (_code("x = 'returns.xlsx'"), "'returns.xlsx' is a path"),
    (_code("x = '../parameters'"), "'../parameters' is a path"),
    (_code("x = '#b3261e'"), "'#b3261e' is a colour"),
    (_code("x = 'rgb(1, 2, 3)'"), "is a colour"),
    (_code("\n".join(f"x{n} = 1" for n in range(5))), "headline: 7 lines, above 6"),
    (_code("\n".join(f"from pmo_lib.metrics import m{n}" for n in range(4)), cell=2), "begin: 7 lines, above 6"),
    (_pairs(10), "15 code cells, above 14"),
    (
        lambda notebook, cells: (_pairs(9)(notebook, cells), *(_longer(cells[n]) for n in range(8, 26, 2))),
        "63 code lines, above 60",
    ),
    (_code("period = '2026-09'  # again", cell=1), "parameters: a parameter is written name: type = default"),
    (_code("portfolio: str = ''", cell=1), "parameters: portfolio has no comment"),
    (_code("portfolio: str = f()  # first", cell=1), "parameters: portfolio has a default that is no literal"),
    (lambda notebook, cells: cells.insert(1, _cell("early", "x = 1")), "the first code cell is not the one tagged"),
    (_set(2, source="from pmo_lib import report"), "begin: does not begin the report"),
    (_set(2, source='book = report.begin("health_check")'), "begin: does not begin the report 'risk_register'"),
    (_code("import pandas", cell=2), "begin: imports pandas"),
    (_code("from pmo_lib.sources.files import read", cell=2), "begin: imports pmo_lib.sources.files.read"),
    (_code("book.kpis(exposure)", cell=2), "begin: shows or publishes"),
    (_set(5, source="## Who is on it."), "late: no heading that asks the reader's question"),
    (_set(5, source="Is anyone on it?"), "late: no heading that asks the reader's question"),
    (lambda notebook, cells: cells.pop(5), "late: no heading that asks the reader's question"),
    (_set(4, source="exposure = 1"), "headline: shows nothing"),
    (_code("from pmo_lib.metrics import cost"), "headline: imports, begins or publishes in the middle"),
    (_code("book.publish(figures=exposure, tables={})"), "headline: imports, begins or publishes in the middle"),
    (lambda notebook, cells: cells.pop(), "late: the last code cell does not publish"),
    (_code("book.kpis(exposure)", cell=7), "publish: imports, begins or shows where it publishes"),
    (_set(6, source='book.show("other", exposure)'), "shows ['headline', 'other'], but"),
    (lambda notebook, cells: cells.__delitem__(slice(3, 7)), "3 code cells"),
)  # fmt: skip


@pytest.mark.parametrize(("change", "problem"), BROKEN, ids=[problem for _, problem in BROKEN])
def test_a_bad_notebook_is_caught(change: Callable[[dict[str, Any], list[Cell]], object], problem: str) -> None:
    """Each thing that a notebook of ours must not hold or lack is caught."""
    found = linted(change)
    assert any(problem in each for each in found), found


def test_a_sound_notebook_passes() -> None:
    """A notebook of the four kinds of cell has no problem, prose with a slash included."""
    assert linted(lambda notebook, cells: None) == []
    assert linted(_code('x = "SRO / IPA: N/A, no. #12"')) == []
