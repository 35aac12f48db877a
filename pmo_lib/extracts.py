"""Published roll-up → machine-readable extract: CSV files, a description with control totals, and its JSON Schema.

CSV as in RFC 4180 (comma, CRLF, quotes doubled), UTF-8. A text that a spreadsheet would take for a formula gets an
apostrophe in front (OWASP, *CSV Injection*), and so does a text that begins with one: who reads by machine takes one
leading apostrophe away. Money is written with two decimals, so that its control total in whole minor units is exact.
Same results, same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from pmo_lib.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCHEMA = "pmo-extract/1"
DESCRIPTION, SCHEMA_FILE = "extract.json", "extract.schema.json"
GUARD = "'"
# With their full-width twins, which some spreadsheets fold; tab and line ends are skipped before a formula.
DANGEROUS = tuple("=+-@\t\r\n＝＋－＠'")
GUARD_RULE = "one leading apostrophe is not part of a text: it keeps spreadsheets from taking the text for a formula"
IDENTITY = ("organisation", "period", "report", "snapshot")
TOTAL_COLUMNS = ["file", "rows", "money_columns", "minor_units", "sha256"]

Kind = Literal["text", "flag", "whole", "number", "money", "date", "month"]
JSON_TYPES = ("text", "flag", "whole", "number", "money", "date", "month")


@dataclass(frozen=True)
class Field:
    """A column of an extract: its kind, and what it says."""

    kind: Kind
    meaning: str


def _fields(kind: Kind, /, **meanings: str) -> dict[str, Field]:
    return {name: Field(kind, meaning) for name, meaning in meanings.items()}


# A published column that stands not here is refused: nobody can use a column that nobody has explained.
FIELDS: dict[str, Field] = {
    **_fields(
        "text",
        assessor_role="Who rated; ratings of different raters are never compared",
        cause="Why an amount moved, or why a report is not there",
        currency="ISO 4217 code of the money in the row",
        figure="Name of a published figure",
        from_id="Portfolio before; empty where its report is not there",
        level="Level in the hierarchy: enterprise, function, portfolio, sub_portfolio, programme, project, own",
        measure="What was summed",
        name="Name",
        node_id="Place in the hierarchy",
        parent_id="Place above it; empty at the top",
        portfolio_id="Portfolio",
        project_id="Project",
        rating="Rating on the row's scale",
        rating_scale="Scale of the rating",
        reason="Why the value is not there",
        report="Report that publishes it",
        stage="How far a failed report came",
        standing="here; left or moved out (only its earlier cost counts); own (the unit's own)",
        state="State of a cell, or of a portfolio's reports",
        status="published, failed, missing, not returned or refused",
        to_id="Portfolio now; empty where its report is not there",
        unit="Unit of the value",
        unit_id="Unit, programme or project",
        basis="Which finish is compared",
        cohort="Year in which its projects were first reported",
        delivered_by="Who delivers what serves the unit, with the number of projects",
        first_stage="Stage in which its projects were first seen",
        fate="What became of a unit that is no longer there",
        flag="What is remarkable about the date",
        kind="total, or the cause of a step",
        other_portfolio_id="Portfolio that the project came from or went to",
        since_cause="Cause of what changed apart from the move between portfolios",
        step="Step of the bridge, from the total before to the total now",
        year="Fiscal year",
        without="Portfolios whose reports are missing from the sums, by report",
    ),
    **_fields("flag", complete="Every report below is published", agrees="The sums are equal to the minor unit"),
    **_fields("flag", few="Fewer projects than a class of one's own needs"),
    **_fields(
        "month",
        as_of="Month that the page speaks of: an earlier one where it shows what was last known; empty without a page",
        period="Month of the status date",
        return_month="Month of the report that is spoken of",
        since="Month of the report that is compared with",
    ),
    **_fields(
        "date",
        finish_before_on="Finish in the earlier report",
        finish_on="Finish now",
        reported_on="Day that the report speaks of",
    ),
    **_fields(
        "whole",
        carried="Projects whose last known date is carried along",
        costed="Projects that the unit delivers and that have a cost above 0",
        costed_for_others="Those of them that serve another unit",
        costs_known="Projects with a single figure of whole-life cost",
        dated="Projects with a date in the report",
        depth="Levels below the top",
        followed="Projects with a date in their first report and in this one, in enough reports",
        later="Those of them whose finish is later",
        least_reports="Reports that a project must have been in",
        no_date_now="Projects without a date in this report, or no longer in the data",
        no_first_date="Projects without a date in their first report",
        too_few_reports="Projects with both dates, in too few reports",
        in_year_known="Projects with plan and outlook of the year",
        moved_days="Movement of the finish in calendar days; positive is later",
        portfolios="Portfolios",
        projects="Projects",
        projects_then="Projects, as then organised",
        projects_today="Projects, on today's structure",
        published="Projects whose figure is published",
        rated="Ratings by that rater in that period",
        rows="Published project rows that were summed",
        delivers="Projects that the unit delivers",
        kept="Large underspends after which the finish did not move later",
        known="Projects with plan and outlook in each of these years",
        not_dated="Large underspends of projects without a finish to compare",
        serves="Projects that serve the unit",
        underspends="Large underspends of projects with both finishes",
        valued="Projects with a figure behind the step",
        years="Years in a row",
        years_under="Years in a row, up to this one, in which the outlook was under plan",
        risks_open="Open risks",
        risks_unquantified="Open risks without expected money",
    ),
    **_fields(
        "money",
        amount="Movement of cost; positive is more",
        before="Whole-life cost in the earlier report",
        cost_before="Whole-life cost in the earlier report",
        cost_movement="cost_now − cost_before; what is not there counts nothing, nor does what was not returned",
        cost_last_known="last known whole-life cost of what was not returned in this report; in no other column",
        cost_now="Whole-life cost now",
        cost_then="Whole-life cost, as then organised",
        cost_today="Whole-life cost, on today's structure",
        cost_delivered="Whole-life cost of the projects that it delivers",
        cost_for_others="Whole-life cost of what the unit delivers for others",
        cost_served="Whole-life cost of the projects that serve it",
        difference="What the change of structure moved to the unit",
        moved_amount="Value of a moved project before the move; negative for the giver",
        since_amount="What changed apart from the move between portfolios",
        exposure="Net expected money of open risks: threats less opportunities",
        now="Whole-life cost now",
        opportunities="Expected money of open opportunities; a saving is negative",
        own_budget="Budget of the year that a programme or portfolio has of its own; counted once",
        outlook="In-year outlook, where a plan is there too",
        plan="In-year plan, where an outlook is there too",
        threats="Expected money of open threats",
        variance="outlook − plan; positive is overspend",
    ),
    **_fields(
        "number",
        ended_sum="What portfolios held that are no longer there",
        least_days="Smallest slip so far, in days; negative is earlier",
        most_days="Largest slip so far, in days",
        p50_days="Slip so far that half of the projects stay at or below",
        p80_days="Slip so far that four fifths of the projects stay at or below",
        figures_sum="Sum of the published figures",
        rows_sum="Sum of the published project rows",
        share="Share of the row's total",
        tree_sum="Sum at the top of the hierarchy",
        value="The value",
        variance_share="variance ÷ plan",
    ),
}


def extract(document: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of an extract by name.

    Parameters
    ----------
    document
        The published results of a roll-up: identity, ``figures`` (records) and ``tables`` (``columns`` and ``rows``).

    Returns
    -------
    dict
        ``<table>.csv`` for every table, ``figures.csv``, ``extract.json`` (what is in them, with control totals) and
        ``extract.schema.json`` (JSON Schema, draft 2020-12, of ``extract.json``).

    Raises
    ------
    ReportError
        A column that is not explained in :data:`FIELDS`.
    """
    figures = pd.DataFrame(document["figures"], columns=["name", "value", "unit", "reason"])
    tables = {
        name: pd.DataFrame(packed["rows"], columns=packed["columns"], dtype=object)
        for name, packed in document["tables"].items()
    }
    sheets = _sheets(figures, tables=tables)
    files = {f"{name}.csv": _csv(rows) for name, rows in sheets.items()}
    description = {
        "schema": SCHEMA,
        **{key: document[key] for key in IDENTITY},
        "text_guard": GUARD_RULE,
        "missing": _missing(tables.get("coverage")),
        "tables": [_described(name, rows=rows, content=files[f"{name}.csv"]) for name, rows in sheets.items()],
    }
    return {**files, DESCRIPTION: _json(description), SCHEMA_FILE: _json(json_schema())}


def control_totals(figures: pd.DataFrame, *, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what the page says of each CSV file: exactly what :func:`extract` will write once they are published.

    Returns
    -------
    DataFrame
        ``file, rows, money_columns, minor_units`` (Σ over all money columns, in whole pence or cents), ``sha256``.
    """
    rows = []
    for name, sheet in _sheets(figures[["name", "value", "unit", "reason"]], tables=tables).items():
        described = _described(name, rows=sheet, content=_csv(sheet))
        totals = described["totals"]
        rows.append((described["file"], described["rows"], len(totals), sum(totals.values()), described["sha256"]))
    return pd.DataFrame(rows, columns=TOTAL_COLUMNS)


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    >>> guarded("=SUM(A1:A9)"), guarded("plain"), guarded("'quoted'")
    ("'=SUM(A1:A9)", 'plain', "''quoted'")
    """
    return GUARD + text if text.lstrip(" \u00a0").startswith(DANGEROUS) or text.startswith(GUARD) else text


def unguarded(text: str) -> str:
    """Return the text as it was before :func:`guarded`."""
    return text.removeprefix(GUARD)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``extract.json``."""
    text, count = {"type": "string"}, {"type": "integer", "minimum": 0}
    digest = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    column = _closed(name=text, kind={"enum": list(JSON_TYPES)}, meaning=text)
    table = _closed(
        name=text,
        file={"type": "string", "pattern": r"^[a-z0-9_]+\.csv$"},
        rows=count,
        bytes=count,
        sha256=digest,
        columns={"type": "array", "items": column, "minItems": 1},
        totals={"type": "object", "additionalProperties": {"type": "integer"}},
    )
    lacking = _closed(portfolio_id=text, report=text, status={"enum": ["failed", "missing", "not returned", "refused"]})
    whole = _closed(
        schema={"const": SCHEMA},
        organisation=text,
        period={"type": "string", "pattern": r"^\d{4}-(0[1-9]|1[0-2])$"},
        report=text,
        snapshot=digest,
        text_guard=text,
        missing={"type": "array", "items": lacking},
        tables={"type": "array", "items": table, "minItems": 1},
    )
    title = "Extract of a portfolio roll-up; totals are in whole minor units (pence, cents)"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **whole}


def _closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _sheets(figures: pd.DataFrame, *, tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return all tables in the order of their names; ReportError if a column is not explained."""
    sheets = dict(sorted({**tables, "figures": figures}.items()))
    strange = [f"{name}.{column}" for name, rows in sheets.items() for column in rows.columns if column not in FIELDS]
    if strange:
        raise ReportError(
            f"columns of the extract without an explanation: {', '.join(strange)}",
            fix="explain them in FIELDS of pmo_lib/extracts.py, or do not publish them",
            stage="notebook",
        )
    return sheets


def _described(name: str, *, rows: pd.DataFrame, content: bytes) -> dict[str, Any]:
    return {
        "name": name,
        "file": f"{name}.csv",
        "rows": len(rows),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "columns": [
            {"name": column, "kind": FIELDS[column].kind, "meaning": FIELDS[column].meaning} for column in rows.columns
        ],
        "totals": {column: _total(rows[column]) for column in rows.columns if FIELDS[column].kind == "money"},
    }


def _missing(coverage: pd.DataFrame | None) -> list[dict[str, str]]:
    if coverage is None:
        return []
    records = coverage[coverage["status"].ne("published")].to_dict("records")
    return [{key: str(row[key]) for key in ("portfolio_id", "report", "status")} for row in records]


def _csv(rows: pd.DataFrame) -> bytes:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow(rows.columns)
    kinds: Sequence[Kind] = [FIELDS[column].kind for column in rows.columns]
    writer.writerows(_record(values, kinds=kinds) for values in rows.itertuples(index=False, name=None))
    return sink.getvalue().encode()


def _record(values: Iterable[Any], *, kinds: Sequence[Kind]) -> list[str]:
    return ["" if _is_null(value) else _cell(value, kind=kind) for value, kind in zip(values, kinds, strict=True)]


def _is_null(value: Any) -> bool:
    return value is None or (not isinstance(value, str) and bool(pd.isna(value)))


def _cell(value: Any, *, kind: Kind) -> str:
    if kind == "money":
        minor = _minor(value)
        return f"{'-' if minor < 0 else ''}{abs(minor) // 100}.{abs(minor) % 100:02d}"
    if kind == "number":
        text = f"{_published(value):.6f}".rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    if kind == "whole":
        return str(int(value))
    if kind == "flag":
        return "true" if value else "false"
    if kind == "date":
        return str(pd.Timestamp(value).date())
    return guarded(str(value))


def _published(value: Any) -> float:
    """Round as published results are rounded, so that a value is the same before and after its publication."""
    amount = float(value)
    return round(amount, 2 if abs(amount) >= 1e6 else 6) + 0.0


def _minor(value: Any) -> int:
    return round(_published(value) * 100)


def _total(amounts: pd.Series) -> int:
    return sum(_minor(value) for value in amounts if not _is_null(value))


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
