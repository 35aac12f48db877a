"""A portfolio's own sections → a copy of the report's notebook that holds them; the notebook itself stays as it is.

A section is a small notebook in ``notebooks/sections/``: a cell tagged ``parameters``, a cell that imports and begins
the report, and pairs of a question and its answer. By hand it runs as it is. In the batch its pairs stand in a copy of
the report's notebook, after the cell that is its slot: its parameters are the report's, and instead of beginning the
report it tells the open one (``book.section``) which exhibits are to come.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pmo_lib.errors import ParameterError
from pmo_lib.parameters.documents import suggestion
from pmo_lib.store import inside

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pmo_lib.parameters.models import Section

FOLDER = "sections"
CODE_CELLS, CODE_LINES, CELL_LINES = 14, 60, 6
LONGEST_ID = 64  # nbformat 4.5
BOOK = "book"
SHOWS = {"kpis", "show"}
STATEMENTS = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr)
LOOPS = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr, ast.Await)

Cell = dict[str, Any]


def composed(notebook: Path, *, sections: Sequence[Section]) -> bytes:
    """Return a notebook with sections of one portfolio in their slots, as the bytes of a notebook.

    Parameters
    ----------
    notebook
        The report's; sections are looked for in the folder ``sections`` beside it. Neither is changed.
    sections
        In the order of the portfolio's file: two in one slot stand in that order.

    Raises
    ------
    ParameterError
        With all that is wrong in ``data["problems"]``: an unknown slot or notebook, a notebook that is no section, a
        name that the report's own cells use for something else.
    StoreError
        If a name leads out of the folder of sections.
    """
    document = json.loads(notebook.read_text(encoding="utf-8"))
    cells: list[Cell] = document["cells"]
    slots = _slots(cells)
    problems: list[str] = []
    placed: dict[str, list[Cell]] = {}
    for section in sections:
        own = _read(section, folder=notebook.parent / FOLDER)
        told = own.problems() if own else [f"there is no notebook {section.name!r} in notebooks/{FOLDER}"]
        if section.slot not in slots:
            told.append(f"{notebook.stem} has no slot {section.slot!r}: {suggestion(section.slot, known=slots)}")
        if own and not told:
            told += own.rebound(cells)
            placed.setdefault(section.slot, []).extend(own.cells())
        problems += [f"section {section.name}: {problem}" for problem in told]
    if problems:
        raise ParameterError("; ".join(problems), fix="mend the section, or its entry", problems=problems)
    whole = [each for cell in cells for each in (cell, *placed.get(str(cell.get("id")), ()))]
    return json.dumps({**document, "cells": whole}, ensure_ascii=False, indent=1).encode()


def _slots(cells: Sequence[Cell]) -> list[str]:
    """Return the ids of the cells after which a section may stand: from the report's beginning to its last pair."""
    return [str(cell["id"]) for cell in cells if cell["cell_type"] == "code"][1:-1]


def _read(section: Section, *, folder: Path) -> _Own | None:
    path = inside(folder, parts=(f"{section.name}.ipynb",))
    if not path.is_file():
        return None
    try:
        return _Own(section, json.loads(path.read_text(encoding="utf-8"))["cells"])
    except (ValueError, KeyError, TypeError) as error:
        what = f"section {section.name}: the notebook cannot be read: {type(error).__name__}: {error}"
        raise ParameterError(what, fix="save it again in JupyterLab", problems=[what]) from error


@dataclass(frozen=True)
class _Own:
    """A section and the cells of its notebook."""

    section: Section
    all_cells: list[Cell]

    @cached_property
    def code(self) -> list[Cell]:
        """Its code cells but the parameters: the beginning, then one of each pair."""
        return [cell for cell in self.all_cells if cell["cell_type"] == "code" and not _tagged(cell)]

    @cached_property
    def trees(self) -> list[ast.Module]:
        """The code cells, parsed; SyntaxError if one is not Python."""
        return [ast.parse(_source(cell)) for cell in self.code]

    def problems(self) -> list[str]:
        """Return everything that keeps the notebook from being a section."""
        try:
            found = [*self._kinds(), *self._budget(), *(p for tree in self.trees for p in _logic(tree))]
        except SyntaxError as error:
            return [f"a cell is not Python: {error.text!r}"]
        if not self.code:
            return [*found, "it has no cell that begins the report"]
        return [*found, *self._begin(), *self._pairs(), *self._exhibits()]

    def _kinds(self) -> Iterator[str]:
        for cell in self.all_cells:
            if cell["cell_type"] not in ("code", "markdown"):
                yield f"{cell.get('id')} is a {cell['cell_type']} cell"
            if cell.get("outputs") or cell.get("execution_count") is not None:
                yield f"{cell.get('id')} has stored outputs"
            if set(cell["metadata"]) - {"tags"} or set(cell["metadata"].get("tags", ())) - {"parameters"}:
                yield f"{cell.get('id')} is hidden, skipped or allowed to fail"
        if (number := sum(map(_tagged, self.all_cells))) > 1:
            yield f"{number} cells are tagged parameters"

    def _budget(self) -> Iterator[str]:
        sizes = {str(cell.get("id")): _lines(cell) for cell in self.code[1:]}
        if len(self.code) > CODE_CELLS or sum(sizes.values()) > CODE_LINES:
            yield f"{len(self.code)} code cells with {sum(sizes.values())} lines, above {CODE_CELLS} with {CODE_LINES}"
        yield from (f"{name} has {size} lines, above {CELL_LINES}" for name, size in sizes.items() if size > CELL_LINES)

    def _begin(self) -> Iterator[str]:
        call = _begins(self.trees[0])
        given = {word.arg: word.value for word in call.keywords} if call else {}
        name, own = (call.args[:1] if call else []), given.get("section")
        if not (name and _is(name[0], text=self.section.report) and own and _is(own, text=self.section.name)):
            yield (
                f"its first cell must end with {BOOK} = report.begin({self.section.report!r}, …, "
                f"section={self.section.name!r})"
            )

    def _pairs(self) -> Iterator[str]:
        for cell, tree in zip(self.code[1:], self.trees[1:], strict=True):
            before = self.all_cells[self.all_cells.index(cell) - 1]
            heading = _source(before).split("\n")[0].strip() if before["cell_type"] == "markdown" else ""
            if not re.fullmatch(r"#{2,4} .+\?", heading):
                yield f"before {cell.get('id')} stands no heading that asks the reader's question"
            if not _called(tree) & SHOWS:
                yield f"{cell.get('id')} shows nothing"
            if _called(tree) & {"begin", "publish"} or any(
                isinstance(n, ast.Import | ast.ImportFrom) for n in tree.body
            ):
                yield f"{cell.get('id')} imports, begins or publishes: the report's own cells do that"

    def _exhibits(self) -> Iterator[str]:
        shown = [str(call.args[0].value) for tree in self.trees for call in _calls(tree, name="show")
                 if call.args and isinstance(call.args[0], ast.Constant)]  # fmt: skip
        listed = [exhibit.id for exhibit in self.section.exhibits]
        if shown != listed:
            yield f"it shows {shown}, but its entry lists {listed}"

    def rebound(self, cells: Sequence[Cell]) -> list[str]:
        """Return the names that it gives another meaning than the report's own cells do."""
        code = [_source(cell) for cell in cells if cell["cell_type"] == "code"]
        core = {name: meaning for text in code for name, meaning in _bound(ast.parse(text))}
        own = {name: meaning for tree in self.trees for name, meaning in _bound(tree) if name != BOOK}
        return [
            f"it uses the name {name!r}, which the report's own cells use: give it another name"
            for name, meaning in own.items()
            if name in core and (not meaning or core[name] != meaning)
        ]

    def cells(self) -> list[Cell]:
        """Return what is put into the slot: all but the parameters, the report told of the section instead of begun."""
        first = self.code[0]
        return [
            {**cell, "id": f"{self.section.name}-{cell.get('id')}"[:LONGEST_ID].replace(".", "-"),
             "source": self._joined(first) if cell is first else _source(cell)}
            for cell in self.all_cells if not _tagged(cell)
        ]  # fmt: skip

    def _joined(self, cell: Cell) -> str:
        begun = self.trees[0].body[-1]
        imports = _source(cell).splitlines()[: begun.lineno - 1]
        return "\n".join([*imports, f"{BOOK}.section({self.section.name!r})"])


def _tagged(cell: Cell) -> bool:
    return "parameters" in cell["metadata"].get("tags", ())


def _source(cell: Cell) -> str:
    return "".join(cell["source"])


def _lines(cell: Cell) -> int:
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in _source(cell).splitlines())


def _calls(tree: ast.AST, *, name: str = "") -> Iterator[ast.Call]:
    """Yield calls; with a name, those whose last part it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name in ("", ast.unparse(node.func).rpartition(".")[2]):
            yield node


def _called(tree: ast.AST) -> set[str]:
    return {ast.unparse(call.func).rpartition(".")[2] for call in _calls(tree)}


def _is(node: ast.expr, *, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def _begins(tree: ast.Module) -> ast.Call | None:
    """Return the call of ``begin`` in ``book = report.begin(…)``, if that is the last statement."""
    match tree.body[-1:]:
        case [ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Attribute(attr="begin")) as call)]:
            return call if name == BOOK else None
    return None


def _logic(tree: ast.Module) -> Iterator[str]:
    yield from (
        f"{type(s).__name__} is logic: it belongs into pmo_lib" for s in tree.body if not isinstance(s, STATEMENTS)
    )
    yield from (f"{type(n).__name__} is logic: it belongs into pmo_lib" for n in ast.walk(tree) if isinstance(n, LOOPS))


def _bound(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each name that a cell binds, and the import that binds it; empty for a value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            above = node.module if isinstance(node, ast.ImportFrom) else ""
            yield from ((each.asname or each.name, f"{above}:{each.name}") for each in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, ""
