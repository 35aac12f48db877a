"""Words against cells: what the narratives of a return claim, held against its cells and those of the last return.

A claim agrees where the cell, or any of the cells that the words can mean, lies within the precision of the words:
``£1.2bn`` agrees with 1,234 million, ``March 2027`` with every day of that month, ``around`` gives 5 % to either side,
and what is cut off rather than rounded still agrees. Where a cell has no single value, where there is no last return,
or where the words speak of another time or rater than the return does, it cannot be told, and the reason is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from pmo_lib.contracts.parts import RATINGS
from pmo_lib.metrics.accounts import outlooks
from pmo_lib.metrics.disclosure import changes, drift
from pmo_lib.metrics.fiscal import FiscalYear
from pmo_lib.metrics.movement import Between, names_of, reasons, status_dates
from pmo_lib.metrics.phrases import DATE, MONEY, RATING, SHARE
from pmo_lib.metrics.statements import (
    ACTUAL,
    BASELINE,
    BEFORE,
    BENEFITS,
    CONFIDENCE,
    COST,
    DONE,
    FINISH,
    FORECAST,
    LEAST,
    MOST,
    NOW,
    UNCHANGED,
    VARIANCE,
    YEAR,
    Statement,
    statements,
)
from pmo_lib.theme import CURRENCY_SIGNS, day, number, share

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pmo_lib.parameters.models import Organisation

NEEDED = ("projects", "status", "narratives", "finance", "states")
AGREES, DISAGREES, UNTOLD = VERDICTS = ("agrees", "disagrees", "cannot be told")
CLAIM_COLUMNS = (
    "project_id", "name", "text", "sentence", "marked_from", "marked_to", "kind", "claimed", "low", "high", "unit",
    "about", "column_name", "stands", "stood", "verdict", "reason", "source_ref", "cell_ref",
)  # fmt: skip
PUBLISHED = ("project_id", "name", "kind", "claimed", "column_name", "stands", "stood", "source_ref", "cell_ref")
COUNT_COLUMNS = ("kind", "verdict", "claims", "out_of")
REASON_COLUMNS = ("reason", "claims")
# What the words name, and whether they say forecast, baseline or actual → the column; else all are meant.
PLACES: dict[str, dict[str, str]] = {
    COST: {FORECAST: "whole_life_cost_forecast", BASELINE: "whole_life_cost_baseline"},
    BENEFITS: {FORECAST: "benefits_forecast", BASELINE: "benefits_baseline"},
    FINISH: {FORECAST: "finish_forecast_on", BASELINE: "finish_baseline_on", ACTUAL: "finish_actual_on"},
    YEAR: {FORECAST: "outlook of the year", BASELINE: "plan of the year"},
    VARIANCE: {"": "in-year variance"},
    CONFIDENCE: {"": "rating"},
    DONE: {"": "percent_complete"},
}
CELL_KINDS = {COST: MONEY, BENEFITS: MONEY, YEAR: MONEY, FINISH: DATE, VARIANCE: SHARE, CONFIDENCE: RATING, DONE: SHARE}
UNITS = {SHARE: "share", DATE: "day", RATING: "rating"}
BY_RATER = (CONFIDENCE, DONE)
OF_PROJECTS = tuple(dict.fromkeys(name for subject in (COST, BENEFITS, FINISH) for name in PLACES[subject].values()))
MONEYS = tuple(PLACES[COST].values()) + tuple(PLACES[BENEFITS].values())
GRAINS = (1e6, 1e5, 1e4, 1e3)
NEARLY_ALL = 0.9
OF_THE_YEAR = (*PLACES[YEAR].values(), *PLACES[VARIANCE].values())
STILL = 0.005  # an amount that moved by no more than this share of itself may be called unchanged
FLOAT = 1e-9
EPOCH = pd.Timestamp(1970, 1, 1)
OTHER_TIME, NO_EARLIER, NO_COLUMN = "speaks of another time", "no earlier return of this project", "no return has it"


class Cell(NamedTuple):
    """A cell of a return: its value as a number, or why it has none, and where it stands.

    ``grain`` is the round amount (up to a million) that it is a multiple of, as nearly all costs and benefits of the
    return are: what looks rounded is.
    """

    value: float | None
    reason: str
    column: str
    rater: str
    source_ref: str
    currency: str = ""
    scale: str = ""
    grain: float = 0.0


class Text(NamedTuple):
    """A text of a return, with the raters beside whose ratings it stands."""

    project_id: str
    about: str
    words: str
    raters: tuple[str, ...]
    source_ref: str


Cells = dict[tuple[str, str, str], list[Cell]]


@dataclass(frozen=True, eq=False)
class Told:
    """What a return tells in words, and what it no longer tells; ``tables`` are histories of :data:`NEEDED`."""

    tables: Mapping[str, pd.DataFrame]
    settings: Organisation
    between: Between

    @cached_property
    def claims(self) -> pd.DataFrame:
        """Every claim with its verdict; see :func:`claims`."""
        return claims(self.tables, settings=self.settings, between=self.between)

    @cached_property
    def drift(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.disclosure.drift`."""
        return drift(self.tables["states"], projects=self.tables["projects"], between=self.between)

    @cached_property
    def gone(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.disclosure.changes`."""
        return changes(self.tables["states"], projects=self.tables["projects"], between=self.between)

    @property
    def told(self) -> dict[str, pd.DataFrame]:
        """The table that a roll-up reads: the claims that disagree."""
        against = self.claims[self.claims["verdict"].eq(DISAGREES)]
        return {"claims": against[list(PUBLISHED)].reset_index(drop=True)}


def claims(tables: Mapping[str, pd.DataFrame], *, settings: Organisation, between: Between) -> pd.DataFrame:
    """Hold every claim of this return's texts against its cells, and those of the last return.

    Parameters
    ----------
    tables
        Histories of :data:`NEEDED`; ``finance`` with ``return_month`` in front. Texts are those of ``narratives`` and
        the commentaries of ``status``.
    between
        The two reports; nothing but their rows is used.

    Returns
    -------
    DataFrame
        :data:`CLAIM_COLUMNS`, one row per claim: those that disagree first, then by project and place in the text.
        ``sentence[marked_from:marked_to]`` is the claim; ``claimed`` lies between ``low`` and ``high`` in ``unit``
        (a currency, share, day as ordinal, place of the rating; null for *unchanged*) and speaks of the report
        ``about`` (now or before). ``stands`` and ``stood`` are cell and last return's cell in words; ``verdict`` is one
        of :data:`VERDICTS`, with its ``reason`` where it cannot be told.
    """
    texts = sorted(_texts(tables, between=between))
    cells = {
        when: _cells(tables, settings=settings, between=seen)
        for when, seen in ((NOW, between), (BEFORE, _earlier(between)))
        if seen is not None
    }
    days = status_dates(tables["status"])
    bench = _Bench(cells, days.get(between.period), days.get(between.since), settings.fiscal_year_start_month)
    lines = [line for text in texts for line in _held(text, bench=bench)]
    table = pd.DataFrame(lines, columns=[name for name in CLAIM_COLUMNS if name != "name"])
    table = table.drop_duplicates(["project_id", "kind", "low", "high", "about", "column_name", "verdict"])
    table.insert(1, "name", table["project_id"].map(names_of(tables["projects"])))
    rank = table["verdict"].map({verdict: place for place, verdict in enumerate((DISAGREES, AGREES, UNTOLD))})
    order = table.assign(rank=rank).sort_values(["rank", "name", "project_id"], kind="stable")
    return order[list(CLAIM_COLUMNS)].reset_index(drop=True)


def counts(held: pd.DataFrame) -> pd.DataFrame:
    """Count claims by kind and verdict: :data:`COUNT_COLUMNS`; ``out_of`` are the claims of the kind."""
    table = held.groupby(["kind", "verdict"]).size().rename("claims").reset_index()
    table["out_of"] = table.groupby("kind")["claims"].transform("sum")
    rank = table["verdict"].map({verdict: place for place, verdict in enumerate(VERDICTS)})
    table = table.assign(rank=rank).sort_values(
        ["out_of", "kind", "rank"], ascending=[False, True, True], kind="stable"
    )
    return table[list(COUNT_COLUMNS)].reset_index(drop=True)


def untold(held: pd.DataFrame) -> pd.DataFrame:
    """Count the claims that cannot be told by reason, the most frequent first: :data:`REASON_COLUMNS`."""
    silent = held.loc[held["verdict"].eq(UNTOLD), "reason"].map(lambda reason: reason.partition(":")[0])
    found = silent.value_counts().rename_axis("reason").rename("claims").reset_index()
    return found.sort_values(["claims", "reason"], ascending=[False, True], kind="stable", ignore_index=True)


def _earlier(between: Between) -> Between | None:
    return between.reverse() if between.since else None


def _texts(tables: Mapping[str, pd.DataFrame], *, between: Between) -> Iterator[Text]:
    """Yield the texts of this return; one that stands beside several ratings is one text."""
    told = between.now(tables["narratives"]).dropna(subset="narrative")
    for row in told.to_dict("records"):
        yield Text(row["project_id"], str(row["subject"]), str(row["narrative"]), (), str(row["source_ref"]))
    said = between.now(tables["status"]).dropna(subset="narrative").sort_values("assessor_role", kind="stable")
    for (project, words), rows in said.groupby(["project_id", "narrative"], sort=True):
        yield Text(str(project), "status", str(words), tuple(rows["assessor_role"]), str(rows["source_ref"].iloc[0]))


def _cells(tables: Mapping[str, pd.DataFrame], *, settings: Organisation, between: Between) -> Cells:
    """Return the cells of one report by project and column."""
    found: Cells = {}
    projects = between.here(tables["projects"]).drop_duplicates("project_id")
    parts = (
        *(_of_projects(tables, column=column, rows=projects) for column in OF_PROJECTS),
        _of_status(tables, column="rating", between=between),
        _of_status(tables, column="percent_complete", between=between),
        _of_the_year(tables, settings=settings, between=between),
    )
    for part in parts:
        for project, cell in part:
            found.setdefault((project, cell.column, ""), []).append(cell)
    return found


def _of_projects(tables: Mapping[str, pd.DataFrame], *, column: str, rows: pd.DataFrame) -> Iterator[tuple[str, Cell]]:
    """Yield a column of ``projects``, wherever the project stood; a column that no report ever filled has no cells."""
    history, states = tables["projects"], tables["states"]
    if history[column].isna().all() and not states["column_name"].eq(column).any():
        return
    why = reasons(rows, states=states, table="projects", column=column)
    grain = _grain(rows) if column in MONEYS else 0.0
    values = (rows[column] - EPOCH).dt.days + EPOCH.toordinal() if column.endswith("_on") else rows[column]
    for project, value, reason, ref, currency in zip(
        rows["project_id"], values.astype("float64"), why, rows["source_ref"], rows["currency"], strict=True
    ):
        yield (
            str(project),
            Cell(
                _known(value),
                reason,
                column,
                "",
                str(ref),
                str(currency),
                grain=0.0 if grain and value % grain else grain,
            ),
        )


def _grain(rows: pd.DataFrame) -> float:
    """Return the largest round amount of which nearly all costs and benefits are multiples; 0 if there is none."""
    amounts = rows[list(MONEYS)].astype("float64").stack().dropna()
    shares = ((grain, amounts.mod(grain).eq(0).mean()) for grain in GRAINS)
    return next((grain for grain, share_of in shares if len(amounts) and share_of >= NEARLY_ALL), 0.0)


def _of_status(tables: Mapping[str, pd.DataFrame], *, column: str, between: Between) -> Iterator[tuple[str, Cell]]:
    """Yield ratings as their place on the scale, or progress, by rater."""
    rows = between.here(tables["status"])
    why = reasons(rows, states=tables["states"], table="status", column=column)
    places = {rating: float(place) for place, rating in enumerate(RATINGS)}
    values = rows[column].map(places) if column == "rating" else rows[column]
    for project, value, reason, rater, ref, scale in zip(
        rows["project_id"], values.astype("float64"), why, rows["assessor_role"], rows["source_ref"],
        rows["rating_scale"], strict=True,
    ):  # fmt: skip
        yield str(project), Cell(_known(value), reason, column, str(rater), str(ref), scale=str(scale))


def _of_the_year(
    tables: Mapping[str, pd.DataFrame], *, settings: Organisation, between: Between
) -> Iterator[tuple[str, Cell]]:
    """Yield plan, outlook and their variance (outlook ÷ plan − 1) of the fiscal year of the report."""
    year = FiscalYear.of(between.period, start_month=settings.fiscal_year_start_month)
    known = {"projects": tables["projects"], "states": tables["states"]}
    units = outlooks(tables["finance"], **known, returns={between.period: year.end})
    units = units[units["project_id"].ne("")]
    base = units["plan"].where(units["plan"].ne(0))
    units = units.assign(gap=units["outlook"] / base - 1.0)
    units["why"] = units["plan_reason"].fillna("").where(units["plan"].isna(), "the plan of the year is 0")
    for row in units.to_dict("records"):
        project, ref, currency = str(row["project_id"]), str(row["source_ref"]), str(row["currency"])
        plan, outlook = str(row["plan_reason"] or "not set"), str(row["outlook_reason"] or "not set")
        gap = outlook if row["outlook"] != row["outlook"] else str(row["why"] or "not set")
        for column, value, reason in zip(
            OF_THE_YEAR, (row["outlook"], row["plan"], row["gap"]), (outlook, plan, gap), strict=True
        ):
            yield project, Cell(_known(value), reason, column, "", ref, currency)


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


@dataclass(frozen=True)
class _Bench:
    """What claims are held against: the cells of this report and of the last one, and their days."""

    cells: Mapping[str, Cells]
    now_on: pd.Timestamp | None
    before_on: pd.Timestamp | None
    start_month: int

    def meant(self, one: Statement, *, text: Text, when: str) -> list[Cell]:
        """Return the cells that a statement can mean, in a report."""
        columns = PLACES[one.subject]
        named = [columns[one.basis]] if one.basis in columns else [columns[k] for k in columns if k != ACTUAL]
        found = [cell for name in named for cell in self.cells.get(when, {}).get((text.project_id, name, ""), [])]
        if one.subject in BY_RATER:
            raters = (one.rater,) if one.rater else text.raters
            return [cell for cell in found if not raters or cell.rater in raters]
        return found

    def another_time(self, one: Statement) -> str:
        """Say of which other time a statement speaks; nothing if it is that of the report it is held against."""
        wanted = self.before_on if one.about == BEFORE else self.now_on
        if one.stamp is not None and not _within(one.stamp, on=wanted):
            return OTHER_TIME
        if one.kind == UNCHANGED and one.since is not None and not _within(one.since, on=self.before_on):
            return OTHER_TIME
        return ""


def _within(days: tuple[date, date], *, on: pd.Timestamp | None) -> bool:
    return on is not None and not pd.isna(on) and days[0] <= on.date() <= days[1]


def _held(text: Text, *, bench: _Bench) -> Iterator[dict[str, Any]]:
    """Yield the claims of a text, each with its verdict."""
    for one in statements(text.words, subject=text.about, start_month=bench.start_month):
        here = bench.meant(one, text=text, when=one.about)
        there = bench.meant(one, text=text, when=BEFORE if one.about == NOW else NOW)
        verdict, reason, cell = _judged(one, here=here, there=there, elsewhere=bench.another_time(one))
        yield _line(one, text=text, cell=cell, other=_beside(cell, among=there), told=(verdict, reason))


def _judged(one: Statement, *, here: list[Cell], there: list[Cell], elsewhere: str) -> tuple[str, str, Cell | None]:
    """Return verdict, reason and the cell that decides: the first that agrees, else the first that disagrees."""
    if elsewhere:
        return UNTOLD, elsewhere, None
    if not here:
        return UNTOLD, _why_none(one), None
    tried = [(_agrees(one, cell=cell, before=_beside(cell, among=there)), cell) for cell in here]
    for verdict in (AGREES, DISAGREES):
        if chosen := next((cell for (found, _), cell in tried if found == verdict), None):
            return verdict, "", chosen
    (_, reason), cell = tried[0]
    return UNTOLD, reason, cell


def _why_none(one: Statement) -> str:
    if one.about == BEFORE:
        return NO_EARLIER
    if one.subject in BY_RATER:
        return f"no rating by {one.rater} in this return" if one.rater else "no rating in this return"
    return f"{NO_COLUMN}: {one.basis} {one.subject}".replace(":  ", ": ")


def _beside(cell: Cell | None, *, among: list[Cell]) -> Cell | None:
    """Return the same cell in the other report."""
    if cell is None:
        return None
    return next((each for each in among if (each.column, each.rater) == (cell.column, cell.rater)), None)


def _agrees(one: Statement, *, cell: Cell, before: Cell | None) -> tuple[str, str]:
    """Hold a statement against one cell, and return verdict and reason."""
    if cell.value is None:
        return UNTOLD, cell.reason or "not set"
    if one.kind != UNCHANGED:
        return (AGREES if fits(one, value=cell.value, grain=cell.grain) else DISAGREES), ""
    if before is None:
        return UNTOLD, NO_EARLIER
    if before.value is None:
        return UNTOLD, f"no value in the last return: {before.reason}"
    if cell.scale != before.scale:
        return UNTOLD, f"the scale changed: {before.scale} to {cell.scale}"
    grain = max(cell.grain, before.grain)
    return (AGREES if _stayed(one, value=cell.value, before=before.value, grain=grain) else DISAGREES), ""


def fits(one: Statement, *, value: float, grain: float = 0.0) -> bool:
    """Say whether a value lies within what the words claim; a share without a sign is of either sign."""
    size = abs(value) if one.kind == SHARE and one.low >= 0 else value
    slack = FLOAT * max(abs(one.low), abs(one.high), 1e-3) + grain / 2
    if one.bound == MOST:
        return size <= one.high + slack
    if one.bound == LEAST:
        return size >= one.low - slack
    cut = one.step / 2 if one.kind in (MONEY, SHARE) and size > 0 else 0.0
    return one.low - slack <= size <= one.high + slack or one.high < size < one.high + cut


def _stayed(one: Statement, *, value: float, before: float, grain: float) -> bool:
    """Say whether a cell is as it was: dates and ratings exactly (on track: not later), amounts nearly."""
    if CELL_KINDS[one.subject] != MONEY:
        return value <= before if one.bound == MOST else value == before
    return abs(value - before) <= STILL * abs(before) + one.step + grain + FLOAT


def _line(
    one: Statement, *, text: Text, cell: Cell | None, other: Cell | None, told: tuple[str, str]
) -> dict[str, Any]:
    kind = CELL_KINDS[one.subject]
    unit = (cell.currency if cell else "") if kind == MONEY else UNITS[kind]
    now, before = (cell, other) if one.about == NOW else (other, cell)
    ranged = one.kind != UNCHANGED
    return {
        "project_id": text.project_id,
        "text": text.about,
        "sentence": one.sentence,
        "marked_from": one.start,
        "marked_to": one.end,
        "kind": one.kind,
        "claimed": f"{_BOUNDS.get(one.bound, '')}{one.said}" if ranged else "unchanged",
        "low": one.low if ranged else None,
        "high": one.high if ranged else None,
        "unit": unit,
        "about": one.about,
        "column_name": _column(cell),
        "stands": written(now, kind=kind),
        "stood": written(before, kind=kind),
        "verdict": told[0],
        "reason": told[1],
        "source_ref": text.source_ref,
        "cell_ref": cell.source_ref if cell else "",
    }


_BOUNDS = {MOST: "at most ", LEAST: "at least "}


def _column(cell: Cell | None) -> str:
    return "" if cell is None else f"{cell.column} ({cell.rater})" if cell.rater else cell.column


def written(cell: Cell | None, *, kind: str) -> str:
    """Write the value of a cell as exactly as a claim needs it, or why there is none."""
    if cell is None:
        return "–"
    if cell.value is None:
        return cell.reason or "not set"
    if kind == DATE:
        return day(date.fromordinal(int(cell.value)))
    if kind == RATING:
        return RATINGS[int(cell.value)]
    if kind == SHARE:
        return share(cell.value, decimals=1)
    sign = CURRENCY_SIGNS.get(cell.currency, f"{cell.currency} ")
    if abs(cell.value) >= MILLION:
        return f"{sign}{number(cell.value / MILLION, decimals=2)}m"
    return f"{sign}{number(cell.value)}"


MILLION = 1e6
