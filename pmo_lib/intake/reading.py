"""Files → sheaves of drafts, and what is wrong with a file, sheet or column as a whole."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pmo_lib.contracts.findings import is_findings_sheet
from pmo_lib.contracts.parts import EXAMPLE
from pmo_lib.intake.faults import NOTHING, About, Fault, Place
from pmo_lib.intake.filling import Filler
from pmo_lib.intake.layout import fold, lay_out
from pmo_lib.intake.plans import plan_of
from pmo_lib.intake.values import plain_text
from pmo_lib.parameters.documents import suggestion
from pmo_lib.sources.grid import is_blank
from pmo_lib.sources.read import read_grids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pmo_lib.contracts.findings import Finding
    from pmo_lib.intake.drafts import Sheaf
    from pmo_lib.intake.gather import Filed
    from pmo_lib.intake.layout import Layout
    from pmo_lib.intake.plans import Plan
    from pmo_lib.parameters.mapping import Mapping
    from pmo_lib.sources.grid import Grid

MOST_EXAMPLES = 2  # rows of one table in the template


@dataclass
class Read:
    """One file, read.

    Attributes
    ----------
    filed
        The file.
    sheaves
        One per sheet that was read.
    findings
        About the file, its sheets and columns.
    other_cells
        Sheet and ending → cells of sheets that are not read.
    broken
        Whether something is wrong for which the return is refused.
    """

    filed: Filed
    sheaves: list[Sheaf] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    other_cells: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: bool = False

    def refuse(self, place: Place, *, fault: Fault, about: About = NOTHING) -> None:
        """Note a fault for which the return is refused."""
        self.findings.append(place.finding(fault, action="refused", about=about))
        self.broken = True


@dataclass
class Shelf:
    """Reads files through one mapping; the plans of its sheets are made once."""

    mapping: Mapping
    native: bool
    _plans: list[Plan] = field(init=False)

    def __post_init__(self) -> None:
        """Make the plans."""
        self._plans = [plan_of(sheet, mapping=self.mapping) for sheet in self.mapping.sheets]

    def read(self, filed: Filed) -> Read:
        """Read one file.

        Raises
        ------
        SourceError
            If it cannot be read at all.
        """
        read = Read(filed)
        source = filed.source
        for grid in self._grids(filed):
            named = replace(grid, file=source.name)
            sheet = grid.sheet or (source.path.stem if self.native else "")
            plan = next((plan for plan in self._plans if _matches(plan.sheet.match, name=sheet)), None)
            if plan is not None and not is_findings_sheet(grid.sheet):
                self._read_sheet(read, grid=named, plan=plan)
            elif named.rows:
                self._pass_over(read, grid=named, name=sheet)
        if self.native:
            read.findings.extend(_examples(read))
        return read

    def _grids(self, filed: Filed) -> Sequence[Grid]:
        if filed.grids is not None:
            return filed.grids
        return read_grids(filed.source.path, encodings=filed.encodings, delimiter=self.mapping.files.delimiter)

    def _read_sheet(self, read: Read, *, grid: Grid, plan: Plan) -> None:
        filed = read.filed
        layout = lay_out(
            grid,
            sheet=plan.sheet,
            orientation=filed.orientation or plan.sheet.orientation,
            header_row=filed.header_row or plan.sheet.header_row,
        )
        if not grid.rows:
            return
        for place, fault, about in _broken_header(layout, plan=plan):
            read.refuse(place, fault=fault, about=about)
        read.findings.extend(_unknown_columns(layout, plan=plan))
        read.sheaves.append(Filler(layout, plan, filed.variables, filed.status_date).fill())

    def _pass_over(self, read: Read, *, grid: Grid, name: str) -> None:
        """Leave a sheet for people aside; complain of one that nobody declared."""
        cells = sum(not is_blank(raw) for row in grid.rows for raw in row)
        declared = is_findings_sheet(grid.sheet) or any(
            _matches(pattern, name=name) for pattern in self.mapping.other_sheets
        )
        read.other_cells[grid.sheet, "ignored" if declared else "faulty"] += cells
        if declared:
            return
        tables = [plan.sheet.rows[0].table for plan in self._plans] if self.native else []
        fault = Fault(
            "unknown-table",
            "error",
            f"there is no table of the name {name!r}"
            if self.native
            else f"the mapping does not know the sheet {name!r}",
            suggestion(fold(name).replace(" ", "_"), known=tables)
            if tables
            else "declare it in the mapping, under sheets",
            ", ".join(tables),
        )
        read.refuse(Place(grid.file, grid.sheet), fault=fault, about=About(value=name))


def _examples(read: Read) -> Iterator[Finding]:
    """Yield one notice of the template's example rows; more of them than the template has may be somebody's own."""
    rows = Counter(
        table for sheaf in read.sheaves for _, table, portfolio in sheaf.left_out if fold(portfolio) == fold(EXAMPLE)
    )
    if not rows:
        return
    where = "".join(f", {number} in {table}" for table, number in rows.items() if number > MOST_EXAMPLES)
    fault = Fault(
        "example-rows",
        "warning" if where else "notice",
        f"{rows.total()} rows of the portfolio {EXAMPLE} are examples and were left out{where}",
        "give your own rows your own portfolio_id" if where else "nothing, or delete them",
    )
    yield Place(read.filed.source.name).finding(fault, action="kept", about=About(portfolio_id=EXAMPLE))


def _matches(pattern: str, *, name: str) -> bool:
    return re.fullmatch(pattern, name.strip(), re.IGNORECASE) is not None


def _broken_header(layout: Layout, *, plan: Plan) -> Iterator[tuple[Place, Fault, About]]:
    """Yield what is wrong with the header: columns that are not there, and columns that are there twice."""
    tables = ", ".join(dict.fromkeys(entry.table.name for entry in plan.entries))
    for name in layout.missing:
        column = plan.sheet.columns[name]
        known = " or ".join([*column.aliases, *(f"{start}…" for start in column.starts_with)])
        fault = Fault(
            "column-missing",
            "error",
            f"the column {name} is missing",
            "add it, or, if it has a new name, add that name to the mapping under aliases",
            known,
        )
        yield layout.place(layout.header), fault, About(table=tables, column=name)
    for name, index in layout.twice:
        fault = Fault(
            "column-twice", "error", f"the column {name} is there twice", "delete or rename one of the two", name
        )
        about = About(table=tables, column=name, value=layout.header_text(index))
        yield layout.place(layout.header, column=index), fault, about


def _unknown_columns(layout: Layout, *, plan: Plan) -> Iterable[Finding]:
    """Yield a warning for each column that nothing declares: its cells are not used."""
    known = {alias for column in plan.sheet.columns.values() for alias in column.aliases}
    table = plan.entries[0].table.name
    for index in layout.unknown:
        header = layout.header_text(index)
        cells = sum(not is_blank(row[index]) for row in layout.grid.rows[layout.header + 1 :])
        fault = Fault(
            "unknown-column",
            "warning",
            f"nothing uses this column; {cells} of its cells hold something",
            suggestion(header, known=known - {plain_text(h) for h in map(layout.header_text, layout.columns.values())})
            if header
            else "give it a header, or clear its cells",
        )
        yield layout.place(layout.header, column=index).finding(
            fault, action="nulled", about=About(table, value=header)
        )
