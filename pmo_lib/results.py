"""Named figures and tables out of a notebook, and back into the roll-up.

One place normalises values: scrapbook refuses numpy numbers, dates and Decimal, and turns NaN into the text 'nan'.
Floats are rounded to six decimals, from a million up to two: what two machines could disagree on is not published.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd
import scrapbook
from scrapbook.models import Notebook

from pmo_lib.errors import ReportError
from pmo_lib.store import digest_of, digest_of_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence, Set
    from pathlib import Path

SCHEMA = "pmo-results/1"
STATE_FILE = "state.json"
FAILED_FOLDER = "_failed"  # of a period: no portfolio has such an id
EXPLAINED = "explained"
FIGURES = "figures"
FIGURE_COLUMNS = ("name", "value", "unit", "reason")
Place: TypeAlias = tuple[str, str, str]  # period, portfolio, report
IDENTITY = ("organisation", "period", "as_of", "portfolio", "report", "snapshot")


@dataclass(frozen=True)
class Results:
    """What one report published: figures by name, and tidy tables."""

    identity: Mapping[str, str]
    figures: pd.DataFrame
    tables: Mapping[str, pd.DataFrame] = field(repr=False)

    @property
    def as_of(self) -> str:
        """Period that the figures speak of: an earlier one where the portfolio returned nothing usable in its own."""
        return self.identity["as_of"]

    @property
    def fresh(self) -> bool:
        """Whether the figures are of the period itself, and not the last known ones."""
        return self.as_of == self.identity["period"]


def figures_of(results: Iterable[Results]) -> pd.DataFrame:
    """Return the figures of several reports, each with the month that it speaks of."""
    rows = placed(results, table=FIGURES)
    return rows.assign(period=rows["as_of"])[["portfolio_id", "period", "report", "name", "value", "unit", "reason"]]


def glue(
    identity: Mapping[str, Any],
    *,
    figures: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    explained: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Store what a report publishes in its own notebook.

    Parameters
    ----------
    identity
        What the report is of.
    figures, tables
        Named figures, and tidy tables.
    explained
        How each figure is made, by name; see :class:`pmo_lib.metrics.explained.Explanation`.

    Raises
    ------
    ReportError
        A figure twice, a null without a reason, or a value that is not a plain one.
    """
    _check_figures(figures)
    scrapbook.glue("identity", dict(identity), encoder="json")
    for row in figures.to_dict("records"):
        plain_row = {str(key): plain(row.get(key), where=f"figure {row['name']}") for key in FIGURE_COLUMNS}
        scrapbook.glue(f"figure:{row['name']}", plain_row, encoder="json")
    told = {
        name: {**each, "value": plain(each["value"], where=f"figure {name}")}
        for name, each in (explained or {}).items()
    }
    scrapbook.glue(EXPLAINED, told, encoder="json")
    for name, rows in tables.items():
        scrapbook.glue(f"table:{name}", _packed(rows, name=name), encoder="json")


def from_notebook(notebook: Any) -> dict[str, Any]:
    """Return what an executed notebook published as a plain document; ReportError if it published nothing or twice."""
    names = [name for cell in notebook.cells for name in _glued(cell)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or "identity" not in names:
        what = f"published twice: {', '.join(twice)}" if twice else "published nothing"
        raise ReportError(f"the notebook {what}", fix="end it with one book.publish(...)", stage="gate")
    scraps = Notebook(notebook).scraps
    chosen = {name: scraps[name].data for name in sorted(names)}
    return {
        "schema": SCHEMA,
        **chosen["identity"],
        "figures": [data for name, data in chosen.items() if name.startswith("figure:")],
        EXPLAINED: chosen.get(EXPLAINED, {}),
        "tables": {name.removeprefix("table:"): data for name, data in chosen.items() if name.startswith("table:")},
    }


def _glued(cell: Any) -> Iterable[str]:
    for output in cell.get("outputs", ()):
        scrap = output.get("metadata", {}).get("scrapbook", {})
        if scrap.get("data"):
            yield str(scrap["name"])


def parse(document: Mapping[str, Any]) -> Results:
    """Return a published document as tables; columns that end in ``_on`` are dates again."""
    if document.get("schema") != SCHEMA:
        raise ReportError(
            f"published results have the form {document.get('schema')!r}", fix=f"run the report again ({SCHEMA})"
        )
    figures = pd.DataFrame(document["figures"], columns=list(FIGURE_COLUMNS)).astype({"value": "float64"})
    tables = {name: _unpacked(packed) for name, packed in document["tables"].items()}
    return Results({key: document[key] for key in IDENTITY}, figures, tables)


def read(path: Path) -> Results:
    """Read one published results file."""
    return parse(json.loads(path.read_text(encoding="utf-8")))


def in_force(folder: Path, *, snapshots: Mapping[str, str]) -> list[Results]:
    """Return all results that count as the state files of their periods stand; see :func:`published`."""
    failed = {
        (period, row["portfolio_id"], row["report"]) for period in snapshots for row in read_failures(folder / period)
    }
    return published(folder, snapshots=snapshots, failed=failed, still=read_still(folder, snapshots=snapshots))


def published(
    folder: Path,
    *,
    snapshots: Mapping[str, str],
    failed: Set[Place] = frozenset(),
    still: Mapping[Place, str] | None = None,
) -> list[Results]:
    """Return all results under ``<folder>/<period>/`` that were made from the given snapshot of their period, in order.

    What was made from another snapshot, does not match its page, or failed when it was last run is stale and left out.

    Parameters
    ----------
    folder
        Outputs of one organisation.
    snapshots
        The snapshot id that counts, by period.
    failed
        Period, portfolio and report of what failed when it was last run: an older edition of it does not count.
    still
        Period, portfolio and report of what was made from an earlier snapshot of its period of which it read nothing
        that changed → the id of that snapshot; see :func:`read_still`.
    """
    paths = [path for period in sorted(snapshots) for path in sorted((folder / period).glob("[!_]*/*.json"))]
    found = [(path, (path.parts[-3], path.parts[-2], path.stem)) for path in paths]
    documents = [(path, place, json.loads(path.read_text(encoding="utf-8"))) for path, place in found]
    return [
        parse(document)
        for path, place, document in documents
        if document.get("snapshot") == (still or {}).get(place, snapshots[place[0]])
        and place not in failed
        and page_matches(path, document=document)
    ]


def digests(folder: Path, *, periods: Iterable[str]) -> dict[str, str]:
    """Return for each period one sha256 of all that :func:`published` would look at there, pages excepted."""
    return {period: _digest(folder / period) for period in periods}


def looked_at(folder: Path, *, periods: Iterable[str]) -> dict[str, str]:
    """Return the files that :func:`published` looks at there, by their place below the folder, with their sha256."""
    paths = [path for period in periods for path in (*_results(folder / period), folder / period / STATE_FILE)]
    return {path.relative_to(folder).as_posix(): digest_of_file(path) for path in paths if path.is_file()}


def _results(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("[!_]*/*.json")) if path.with_suffix(".html").exists()]


def _digest(folder: Path) -> str:
    pages = _results(folder)
    seen = [[f"{path.parent.name}/{path.name}", digest_of_file(path)] for path in pages]
    own = [[row[key] for key in ("portfolio_id", "report", "stage", "cause")] for row in read_failures(folder)]
    failures = sorted(row for row in own if row[0])  # an organisation's report reads portfolios' only
    return digest_of(json.dumps([seen, failures, _still(folder)]).encode())


def read_still(folder: Path, *, snapshots: Mapping[str, str]) -> dict[Place, str]:
    """Return the pages that stand though their period has a newer snapshot, since nothing that they read changed.

    Parameters
    ----------
    folder, snapshots
        As for :func:`published`.

    Returns
    -------
    dict
        Period, portfolio and report → id of the snapshot that the page was made from.
    """
    told = {period: _still(folder / period) for period in snapshots}
    return {
        (period, row["portfolio_id"], row["report"]): row["snapshot"]
        for period, state in told.items()
        if state.get("snapshot") == snapshots[period]
        for row in state["still"]
    }


def _still(folder: Path) -> dict[str, Any]:
    state = read_state(folder)
    return {key: state[key] for key in ("snapshot", "still")} if "still" in state else {}


def pages_of(results: Iterable[Results], *, period: str) -> dict[tuple[str, str], str]:
    """Return portfolio and report of every page of a period → the period that it speaks of."""
    own = [result for result in results if result.identity["period"] == period]
    return {(result.identity["portfolio"], result.identity["report"]): result.as_of for result in own}


def page_matches(path: Path, *, document: Mapping[str, Any]) -> bool:
    """Say whether the page beside a results file is the one that these results were published with."""
    page = path.with_suffix(".html")
    return page.exists() and digest_of_file(page) == document.get("page_sha256")


def collect(results: Iterable[Results], *, table: str) -> pd.DataFrame:
    """Put one published table of many reports together, with its ``portfolio_id`` and ``period`` in front.

    Results are keyed by portfolio and period: the same key twice is a ReportError, never a silent overwrite.
    """
    parts: dict[tuple[str, str], pd.DataFrame] = {}
    for result in results:
        key = (result.identity["period"], result.identity["portfolio"])
        if table not in result.tables:
            continue
        if key in parts:
            raise ReportError(f"{key} publishes the table {table} twice", fix="give one report to each name")
        parts[key] = result.tables[table].assign(period=key[0], portfolio_id=key[1])
    if not parts:
        return pd.DataFrame(columns=["portfolio_id", "period"])
    frames = [part.astype(object) if part.empty else part for _, part in sorted(parts.items())]
    whole = pd.concat([frame for frame in frames if not frame.empty] or frames[:1], ignore_index=True)
    return whole[["portfolio_id", "period", *[c for c in whole.columns if c not in ("portfolio_id", "period")]]]


def placed(results: Iterable[Results], *, table: str) -> pd.DataFrame:
    """Put one published table of many reports together as :func:`collect` does, each row with its own place.

    Parameters
    ----------
    results
        In order of period and portfolio.
    table
        Name of a published table; :data:`FIGURES` are all published figures.

    Returns
    -------
    DataFrame
        ``portfolio_id, period, as_of, report``, the table's columns, and ``source_ref``: where the row is published,
        ``highways/financial_outlook.json, table in_year, row 3`` or ``highways/financial_outlook.json, figure cpi``.
    """
    parts = [_placed(result, table=table) for result in results if table == FIGURES or table in result.tables]
    whole = pd.concat([part for part in parts if len(part)] or parts[:1] or [pd.DataFrame()], ignore_index=True)
    first = ["portfolio_id", "period", "as_of", "report", *(FIGURE_COLUMNS if table == FIGURES else ())]
    whole = whole.reindex(columns=list(dict.fromkeys([*first, *whole.columns, "source_ref"])))
    return whole if len(whole) else whole.astype("object")


def _placed(result: Results, *, table: str) -> pd.DataFrame:
    at, report = result.identity["portfolio"], result.identity["report"]
    rows = result.figures if table == FIGURES else result.tables[table]
    numbers = pd.Series(range(1, len(rows) + 1), index=rows.index).astype("str")
    place = "figure " + rows["name"] if table == FIGURES else f"table {table}, row " + numbers
    known = {"portfolio_id": at, "period": result.identity["period"], "as_of": result.as_of, "report": report}
    return rows.assign(**known, source_ref=f"{at}/{report}.json, " + place)


def owed_reports(
    *,
    reports: Sequence[str],
    returns: pd.DataFrame,
    done: Mapping[tuple[str, str], str],
    failures: Sequence[Mapping[str, str]],
) -> pd.DataFrame:
    """Return the state of every report that a period owes, one row for each portfolio and report.

    Parameters
    ----------
    reports
        Names of the reports that every portfolio owes.
    returns
        ``period, portfolio_id, state, reason, known`` of the period's returns, see
        :attr:`pmo_lib.snapshots.Snapshot.returns`.
    done
        Portfolio and report of every page that is there → the period that it speaks of.
    failures
        See :func:`read_failures`.

    Returns
    -------
    DataFrame
        ``portfolio_id, report, status, stage, cause, as_of``; status is ``published``, ``failed``, ``missing``,
        ``not returned`` or ``refused``. ``as_of`` is the period that the page speaks of: an earlier one where nothing
        usable was returned and the page shows what was last known; null where there is no page. Nothing that is owed is
        ever left out.
    """
    failed = {(row["portfolio_id"], row["report"]): row for row in failures}
    rows = []
    for entry in returns.sort_values("portfolio_id", kind="stable").to_dict("records"):
        for report in reports:
            key = (str(entry["portfolio_id"]), report)
            status = "failed" if key in failed else _owed_status(entry, page=key in done)
            cause = failed.get(key, {}).get("cause") or (None if status == "published" else entry["reason"])
            as_of = None if key in failed else done.get(key)
            rows.append((*key, status, failed.get(key, {}).get("stage"), cause, as_of))
    return pd.DataFrame(rows, columns=["portfolio_id", "report", "status", "stage", "cause", "as_of"])


def owed_places(owed: pd.DataFrame, *, returns: pd.DataFrame) -> pd.DataFrame:
    """Return what a period owes with its place: the file that each portfolio returned, or that it returned none.

    Parameters
    ----------
    owed
        Result of :func:`owed_reports`.
    returns
        As there, with ``file``.

    Returns
    -------
    DataFrame
        ``owed`` with ``period``, ``usable`` (something usable was returned in the period) and ``source_ref``.
    """
    came = returns.drop_duplicates("portfolio_id", keep="last").set_index("portfolio_id")
    told = came[["period", "known", "file"]].reindex(owed["portfolio_id"]).set_axis(owed.index)
    file = told["file"].fillna("").astype("str")
    file = file.where(file.ne(""), owed["portfolio_id"].astype("str") + ": nothing returned")
    usable, place = told["known"].eq(told["period"]), file + ", report " + owed["report"]
    return owed.assign(period=told["period"], usable=usable, source_ref=place)


def _owed_status(entry: Mapping[Any, Any], *, page: bool) -> str:
    if entry["known"] == entry["period"]:
        return "published" if page else "missing"
    return "refused" if entry["state"] == "refused" else "not returned"


def read_failures(folder: Path) -> list[dict[str, str]]:
    """Return the reports that failed when a period was last run: dicts of ``portfolio_id, report, stage, cause``."""
    return [row for row in read_state(folder).get("reports", ()) if row["status"] == "failed"]


def read_state(folder: Path) -> dict[str, Any]:
    """Return what stands in the state file of a period; nothing where it was not run yet, or the file is none."""
    path = folder / STATE_FILE
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
    except ValueError:
        return {}


def plain(value: Any, *, where: str) -> Any:
    """Return a JSON value: null for every kind of missing, ISO text for dates, rounded floats.

    Raises
    ------
    ReportError
        For anything else: an infinite number, or an object without a plain form.
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, (str, bool)):
        return value
    if type(value).__name__ in ("bool_", "bool"):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, (Real, Decimal)):
        return _rounded(float(value), where=where)
    if isinstance(value, (datetime, date)):
        return pd.Timestamp(value).date().isoformat()
    raise ReportError(
        f"{where}: {type(value).__name__} cannot be published", fix="publish text, numbers, dates or null"
    )


def _rounded(value: float, *, where: str) -> float | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise ReportError(f"{where}: an infinite number cannot be published", fix="publish null with a reason")
    return round(value, 2 if abs(value) >= 1e6 else 6) + 0.0


def _check_figures(figures: pd.DataFrame) -> None:
    twice = sorted(set(figures.loc[figures["name"].duplicated(), "name"]))
    if twice:
        raise ReportError(f"figures published twice: {', '.join(twice)}", fix="give each figure one name")
    silent = figures.loc[figures["value"].isna() & (figures["reason"].isna() | figures["reason"].eq("")), "name"]
    if len(silent):
        raise ReportError(
            f"figures without value or reason: {', '.join(silent)}", fix="say why each cannot be computed"
        )


def _packed(rows: pd.DataFrame, *, name: str) -> dict[str, Any]:
    columns = [str(column) for column in rows.columns]
    where = f"table {name}"
    records = [[plain(value, where=where) for value in record] for record in rows.itertuples(index=False, name=None)]
    return {"columns": columns, "rows": records}


def _unpacked(packed: Mapping[str, Any]) -> pd.DataFrame:
    rows = pd.DataFrame(packed["rows"], columns=packed["columns"])
    for name in rows.columns:
        if str(name).endswith("_on"):
            rows[name] = pd.to_datetime(rows[name]).astype("datetime64[us]")
    return rows
