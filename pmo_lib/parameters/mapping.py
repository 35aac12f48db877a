"""How a foreign layout becomes contract tables: written in YAML by somebody who knows the files, not the code.

A mapping reads top down as the files are read::

    files      which files, the day that they speak of, variables taken from the file's name
    formats    how dates, money and ranges are written; which words mean withheld, not set, not returned
    sheets     per sheet: where the header is, what each column is called, which rows of which tables a record fills
    portfolios names of portfolios and the unit above them, where the data only has codes
    lineage    portfolios that were renamed, split or merged, and since when
    checks     figures that the source computed itself, to be computed again
    database   instead of files, formats and sheets: the tables or queries of a database that has our columns

A text may hold ``{variables}``: the named groups of the file pattern and whatever ``set`` adds to them.
"""

from __future__ import annotations

import re
from decimal import Decimal
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from pmo_lib.contracts.tables import TABLES
from pmo_lib.parameters.models import Identifier, Model, Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

Orientation = Literal["rows", "columns", "detect"]


def _is_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression ({error}): correct it, or escape a special sign with \\") from None
    return text


def _is_table(name: str) -> str:
    if name not in TABLES:
        raise ValueError(f"there is no contract table of that name: use one of {', '.join(TABLES)}")
    return name


Pattern = Annotated[str, AfterValidator(_is_pattern)]
TableName = Annotated[str, AfterValidator(_is_table)]
IsoDay = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Amount = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$")]


class Shorthand(Model):
    """A model that may be written as a text or list: the value of its first field."""

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, data: Any) -> Any:
        return {next(iter(cls.model_fields)): data} if isinstance(data, str | list | tuple) else data

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Let editors accept the short form too."""
        schema = handler.resolve_ref_schema(handler(core))
        first = schema["properties"][next(iter(cls.model_fields))]
        listed = [{"type": "array", "items": first["items"]}] if first.get("type") == "array" else []
        return {"anyOf": [{"type": "string"}, *listed, schema]}


class FileException(Model):
    """What is different in some of the files."""

    match: dict[str, str] = Field(description="Named groups of the file pattern and the values that they must have")
    status_date: str | None = None
    encodings: tuple[str, ...] = ()
    orientation: Orientation | None = None
    header_row: int | None = Field(None, ge=1)
    set: dict[str, str] = Field(default_factory=dict, description="Variables that differ")


class Files(Model):
    """Which files, and what their names tell."""

    pattern: Pattern = Field(
        r".*", description="Regular expression of the whole file name; named groups become variables"
    )
    status_date: str | None = Field(None, description="Day that a file speaks of, with {variables}: 20{end}-03-31")
    encodings: tuple[str, ...] = Field(("utf-8-sig", "cp1252", "latin-1"), description="Tried in this order")
    delimiter: str | None = Field(
        None, description="None: the one of , ; tab that gives the widest header", max_length=1
    )
    set: dict[str, str] = Field(default_factory=dict, description="More variables, from those of the file name")
    exceptions: tuple[FileException, ...] = ()


class Money(Model):
    """How amounts are written."""

    symbols: tuple[str, ...] = Field(("£", "$", "€"), description="Signs that are dropped")
    thousands: Literal[",", ".", " ", "'", ""] = ","
    decimal: Literal[".", ","] = "."
    suffixes: dict[str, Amount] = Field(
        default_factory=dict, description="Ending → multiplier, instead of a cell's unit"
    )

    @model_validator(mode="after")
    def _signs_differ(self) -> Money:
        if self.thousands == self.decimal:
            raise ValueError("thousands and decimals have the same sign: state which is which")
        return self


class StateRule(Model):
    """Words that say why there is no value."""

    state: Literal["withheld", "not set", "not returned"]
    pattern: Pattern = Field(description="Must match the whole cell, blanks collapsed, without regard to case")


class Formats(Model):
    """How values are written in these files."""

    dates: tuple[str, ...] = Field(
        ("%Y-%m-%d",), description="Formats of dates; two that read a cell differently: a finding"
    )
    months: tuple[str, ...] = Field(("%Y-%m",), description="Formats of months")
    money: Money = Money()
    states: tuple[StateRule, ...] = ()
    ranges: tuple[Pattern, ...] = Field((), description="Patterns with the named groups low, mid and high")
    values: dict[str, dict[str, str]] = Field(default_factory=dict, description="Value maps that cells may name")


class SourceColumn(Shorthand):
    """A column of the source, by the names that it has had over the years."""

    aliases: tuple[str, ...] = Field((), description="Header as written; case, blanks and line breaks do not matter")
    starts_with: tuple[str, ...] = Field((), description="Long header: how it begins")
    required: bool = Field(False, description="A file without it is refused")
    empties: tuple[str, ...] = Field((), description="Words that mean no more than a blank cell here")

    @model_validator(mode="before")
    @classmethod
    def _one_alias(cls, data: Any) -> Any:
        return {"aliases": [data]} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _has_a_name(self) -> SourceColumn:
        if not self.aliases and not self.starts_with:
            raise ValueError("the column has no name: give aliases or starts_with")
        return self


class Unless(Model):
    """A value that does not count when another column says so, such as a 0 whose narrative says 'not monetised'."""

    value: str = Field(description="The cell as written")
    column: str = Field(description="Source column that decides")
    pattern: Pattern = Field(description="Found anywhere in it: the value does not count")
    state: Literal["withheld", "not set", "not returned"] = "not set"


class Plausible(Model):
    """What a value should keep to: beyond it, it is kept and reported."""

    above: Amount | None = Field(None, description="An amount or number should be greater than this")
    within_years: int | None = Field(None, ge=1, description="A date should be no further from the status date")


class Cell(Shorthand):
    """Where the value of a contract column comes from."""

    column: str | None = Field(None, description="Source column")
    constant: str | None = Field(None, description="The same in every row; may hold {variables}")
    values: dict[str, str] | str = Field(
        default_factory=dict, description="Value map, or the name of one under formats"
    )
    otherwise: str | None = Field(None, description="Where the value map has no entry; none: the cell as it stands")
    case: Literal["upper", "lower"] | None = None
    unit: Amount = Field("1", description="Multiplier: 1000000 for a column in millions")
    symbols: tuple[str, ...] = Field((), description="Signs that are dropped here, such as %")
    dates: tuple[str, ...] = Field((), description="Date or month formats of this column")
    unless: Unless | None = None
    expected: bool = Field(False, description="Every record should have it: a blank cell is a finding")
    plausible: Plausible | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Cell:
        if (self.column is None) == (self.constant is None):
            raise ValueError("the value has no origin or two: give either column or constant")
        return self

    @property
    def multiplier(self) -> Decimal:
        """The unit as an exact number."""
        return Decimal(self.unit)


class Condition(Shorthand):
    """A record yields the row only where this holds."""

    column: str = Field(description="Source column that must be filled")
    equals: tuple[str, ...] = Field((), description="And hold one of these, without regard to case")


class Unpivot(Model):
    """Columns that are periods: each filled cell of a record yields one row."""

    pattern: Pattern = Field(description="Header of such a column; named groups become variables of the row")
    value: str = Field("value", description="Name under which the cells of the row refer to the value")


class Rows(Model):
    """Rows of one contract table that each record yields."""

    table: TableName
    when: Condition | None = None
    when_not: Condition | None = Field(None, description="A record of which this holds yields no such row")
    unpivot: Unpivot | None = None
    columns: dict[str, Cell] = Field(default_factory=dict, description="Contract column → where it comes from")

    @model_validator(mode="after")
    def _columns_exist(self) -> Rows:
        unknown = [name for name in self.columns if name not in TABLES[self.table].names]
        if unknown:
            raise ValueError(
                f"table {self.table} has no column {unknown[0]}: use {', '.join(TABLES[self.table].names)}"
            )
        return self


class Check(Model):
    """A figure that the source computed itself; it fills ``published_figures`` and each disagreement is a finding.

    The figure is ``(of - against) / against``, and its magnitude where the sign rule is absolute. Without ``against``
    it is the change of a column of ``projects`` since the last report in which the project stood: an amount, or days.
    """

    figure: str
    published: Cell
    of: str = Field(description="Source column of the amount")
    against: str = Field(
        "", description="Source column of the amount that it is measured against; none: the project's last report"
    )
    sign: str = Field("signed", description="signed or absolute; may be a {variable}")
    tolerance: float = Field(ge=0, description="Largest difference, in the figure's unit, that rounding explains")


class IgnoredRow(Model):
    """Records that are none, such as totals."""

    column: str
    pattern: Pattern


class Sheet(Model):
    """One sheet, or the one table of a CSV file."""

    match: Pattern = Field(r".*", description="Regular expression of the sheet's name")
    orientation: Orientation = "rows"
    header_row: int = Field(1, ge=1, description="Row (or column) of the header, counted from 1")
    columns: dict[str, SourceColumn]
    ignored: tuple[str, ...] = Field((), description="Headers, or how they begin, that are left aside")
    ignored_rows: tuple[IgnoredRow, ...] = ()
    status_date: str | None = Field(None, description="Source column of the status date, where a file holds several")
    shared: dict[str, Cell] = Field(
        default_factory=dict, description="Contract columns that all tables below have in common"
    )
    rows: tuple[Rows, ...]
    checks: tuple[Check, ...] = ()

    def cells(self, rows: Rows) -> dict[str, Cell]:
        """Return all cells of the rows of one table, with the shared ones, in contract order."""
        given = {**self.shared, **rows.columns}
        return {name: given[name] for name in TABLES[rows.table].names if name in given}

    def fills(self, source: str, *, table: str) -> str:
        """Return the contract column of a table that a source column fills; empty if it fills none."""
        cells = (item for rows in self.rows if rows.table == table for item in self.cells(rows).items())
        return next((name for name, cell in cells if cell.column == source), "")

    def used(self) -> Iterator[str]:
        """Yield every source column that anything refers to."""
        for rows in self.rows:
            yield from _columns(self.cells(rows).values(), besides=rows.unpivot.value if rows.unpivot else "")
            yield from (condition.column for condition in (rows.when, rows.when_not) if condition)
        for check in self.checks:
            yield from (*_columns([check.published]), check.of, *([check.against] if check.against else []))
        yield from (row.column for row in self.ignored_rows)
        if self.status_date:
            yield self.status_date

    @model_validator(mode="after")
    def _names_meet(self) -> Sheet:
        used = set(self.used())
        held = {name for rows in self.rows for name in TABLES[rows.table].names}
        wrong = [f"column {name} is used and not declared" for name in sorted(used - set(self.columns))]
        wrong += [f"column {name} is declared and not used" for name in self.columns if name not in used]
        wrong += [f"no table here has the shared column {name}" for name in self.shared if name not in held]
        wrong += [
            f"the change of {check.of} is checked, and no column of projects holds it"
            for check in self.checks
            if not (check.against or self.fills(check.of, table="projects"))
        ]
        if wrong:
            raise ValueError("; ".join(wrong) + ": correct the name, declare it, or list its header under ignored")
        return self


def _columns(cells: Iterable[Cell], *, besides: str = "") -> Iterator[str]:
    for cell in cells:
        if cell.column is not None and cell.column != besides:
            yield cell.column
        if cell.unless:
            yield cell.unless.column


def _unknown_variables(texts: Iterable[str], *, known: set[str]) -> set[str]:
    return {name for text in texts for _, name, _, _ in Formatter().parse(text) if name is not None} - known


class Parent(Model):
    """The unit above all portfolios of the data."""

    id: Identifier
    name: str


class Portfolios(Model):
    """Portfolios declared from the data: each id that occurs becomes one."""

    names: dict[str, str] = Field(default_factory=dict, description="Id → name in full")
    parent: Parent | None = None
    hierarchy: Literal["delivery", "client"] = "delivery"
    currency: str = Field("GBP", pattern=r"^[A-Z]{3}$")


class Succession(Model):
    """A portfolio that became another."""

    before: Identifier
    after: Identifier
    kind: Literal["renamed", "split", "merged"]
    effective_on: IsoDay


class Selection(Shorthand):
    """Where the rows of one contract table stand in a database."""

    table: str | None = Field(None, description="Table or view whose columns are named as in the contract")
    query: str | None = Field(None, description="One SELECT that names them so; :period is the month that is asked for")

    @model_validator(mode="after")
    def _one_origin(self) -> Selection:
        if (self.table is None) == (self.query is None):
            raise ValueError("the rows have no origin or two: give either table or query")
        query = (self.query or "select").strip()
        if not re.match(r"(select|with|values)\b", query, re.IGNORECASE) or ";" in query.removesuffix(";"):
            raise ValueError("is not one query that only reads: begin it with SELECT, WITH or VALUES, and write no ';'")
        return self


class Database(Model):
    """A database whose tables or queries are the contract tables; it is only read, in one transaction."""

    connection: Reference = Field(
        description="env:NAME: the variable that holds the address, postgresql://… or sqlite:///…; never itself"
    )
    timeout_seconds: int = Field(60, ge=1, le=3600, description="Longest time to connect, and of a single query")
    tables: dict[TableName, Selection] = Field(min_length=1, description="Contract table → table, or query")

    @model_validator(mode="after")
    def _is_returned(self) -> Database:
        if "states" in self.tables:
            raise ValueError("states is written by intake: write withheld or not set into the cell of its table")
        return self


class Mapping(Model):
    """A foreign layout, or a database, and the way from it to the contract tables."""

    name: Identifier
    description: str = ""
    files: Files = Files()
    formats: Formats = Formats()
    sheets: tuple[Sheet, ...] = ()
    database: Database | None = Field(None, description="None: files")
    other_sheets: tuple[Pattern, ...] = Field((), description="Names of sheets that hold no returns")
    portfolios: Portfolios | None = Field(None, description="None: the source has a table of its own")
    lineage: tuple[Succession, ...] = ()

    @model_validator(mode="after")
    def _one_kind_of_source(self) -> Mapping:
        beside = sorted({"files", "sheets", "other_sheets"} & self.model_fields_set)
        if self.database is None and not self.sheets:
            raise ValueError("it reads nothing: give sheets, or a database")
        if self.database is not None and beside:
            raise ValueError(f"a database has no {' and no '.join(beside)}: rename columns in a query, with AS")
        return self

    @model_validator(mode="after")
    def _value_maps_exist(self) -> Mapping:
        cells = [cell for sheet in self.sheets for rows in sheet.rows for cell in sheet.cells(rows).values()]
        named = {cell.values for cell in cells if isinstance(cell.values, str)}
        if unknown := sorted(named - set(self.formats.values)):
            raise ValueError(f"there is no value map {', '.join(unknown)}: add it under formats, values")
        return self

    @model_validator(mode="after")
    def _variables_exist(self) -> Mapping:
        files = self.files
        known = {*re.compile(files.pattern).groupindex, *files.set}
        texts = [files.status_date or "", *(each.status_date or "" for each in files.exceptions)]
        wrong = _unknown_variables(texts, known=known)
        for sheet in self.sheets:
            wrong |= _unknown_variables((check.sign for check in sheet.checks), known=known)
            for rows in sheet.rows:
                groups = re.compile(rows.unpivot.pattern).groupindex if rows.unpivot else ()
                constants = (cell.constant or "" for cell in sheet.cells(rows).values())
                wrong |= _unknown_variables(constants, known={*known, *groups})
        if wrong:
            raise ValueError(f"unknown variables {', '.join(sorted(wrong))}: name them in files, pattern or set")
        return self

    def values_of(self, cell: Cell) -> dict[str, str]:
        """Return the value map of a cell, its keys folded."""
        named = self.formats.values.get(cell.values, {}) if isinstance(cell.values, str) else cell.values
        return {" ".join(key.split()).casefold(): value for key, value in named.items()}
