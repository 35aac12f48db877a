"""Our own layout, spoken of as a mapping: one sheet (or file) per contract table, one column per contract column."""

from __future__ import annotations

from functools import cache

from pmo_lib.contracts.columns import Table
from pmo_lib.contracts.parts import EXAMPLE
from pmo_lib.contracts.tables import TABLES
from pmo_lib.parameters.mapping import Cell, Condition, Files, Formats, Mapping, Rows, Sheet, SourceColumn, StateRule

NAME = "native"
# Written by intake, never returned: a workbook exported from a snapshot may hold them.
WRITTEN_BY_INTAKE = "source_ref"
# Words that a cell of our own workbook may hold instead of a value.
STATES = tuple(
    StateRule(state=state, pattern=rf"{state}(?: *[:(\u2013-] *(?P<reason>.+?)\)?)?")
    for state in ("withheld", "not set", "not returned")
)
RANGES = (r"low: *(?P<low>.+?), *mid: *(?P<mid>.+?), *high: *(?P<high>.+)", r"low: *(?P<low>.+?), *high: *(?P<high>.+)")
# Sheets for people: read by nobody here. One whose name begins with an underscore is one of them too.
FOR_PEOPLE = (
    r"_.*",
    r"read ?me.*",
    r"about",
    r"cover",
    r"guide",
    r"instructions",
    r"notes",
    r"columns",
    r"lists",
    r"findings",
)


@cache
def native_mapping() -> Mapping:
    """Return the mapping of our own layout, made from the contract."""
    return Mapping(
        name=NAME,
        description="Our own layout: sheet or file names are table names, headers are column names.",
        files=Files(),
        formats=Formats(states=STATES, ranges=RANGES),
        sheets=tuple(_sheet(table) for table in TABLES.values() if table.name != "states"),
        other_sheets=FOR_PEOPLE,
    )


def database_mapping(mapping: Mapping) -> Mapping:
    """Return the mapping of a database, its tables spoken of as those of our own layout.

    Values are read as in our own workbooks, unless the mapping has formats of its own.
    """
    own = {name: getattr(mapping, name) for name in mapping.model_fields_set}
    return native_mapping().model_copy(update=own)


def _sheet(table: Table) -> Sheet:
    columns = [column for column in table.columns if column.name != WRITTEN_BY_INTAKE]
    return Sheet(
        match=table.name.replace("_", "[ _]"),
        columns={
            column.name: SourceColumn(aliases=(column.name,), required=column.need in ("key", "column", "cell"))
            for column in columns
        },
        ignored=(WRITTEN_BY_INTAKE,),
        rows=(
            Rows(
                table=table.name,
                when_not=Condition(column="portfolio_id", equals=(EXAMPLE,)),
                columns={column.name: Cell(column=column.name) for column in columns},
            ),
        ),
    )
