"""A published figure, traced down to file, sheet and row, and made again from them and from nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.archive.restore import unpack
from pmo_lib.audit.cells import Returned, columns_used
from pmo_lib.audit.named import lay_out_published
from pmo_lib.errors import PmoError, ReportError, StoreError
from pmo_lib.metrics.explained import picked, places, plain, references, united
from pmo_lib.metrics.named_rollup import FIGURES, REPORTS
from pmo_lib.parameters.load import load_reports, settings_for
from pmo_lib.report import Book
from pmo_lib.results import EXPLAINED, parse
from pmo_lib.snapshots import Archive, open_snapshot
from pmo_lib.store import inside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pmo_lib.audit.cells import Cell
    from pmo_lib.audit.named import Kept
    from pmo_lib.metrics.explained import Given, Measured, NamedFigure, Rows


@dataclass(frozen=True)
class Place:
    """Where reports are published, and by which parameters they were made."""

    root: Path
    outputs: Path
    organisation: str
    period: str
    portfolio: str
    kept: Path | None = None  # the archive, where it does not lie among the outputs

    @property
    def archive(self) -> Path:
        """The archive that snapshots and returned files are read from."""
        return self.kept or self.outputs / self.organisation / "archive"

    @property
    def folder(self) -> Path:
        """Folder of the portfolio's pages and results of the period (of the period itself, for the organisation)."""
        return self.outputs.joinpath(self.organisation, self.period, self.portfolio)


@dataclass(frozen=True)
class Traced:
    """A published figure with its explanation, the report that it is of, and what its rows alone give now.

    ``leads``, of a roll-up, has an entry for each place that the figure names. ``cells`` has, for the rows that stand
    in returned files, the cells that the figure looked at, or why there are none; where trying did not tell which these
    are (``tried`` is false), all cells that hold something. ``run`` is the run that it was read
    from, "" where that is what is published now.
    """

    report: str
    snapshot: str
    figure: Mapping[str, Any]
    again: Measured | None
    why_not: str = ""
    leads: tuple[tuple[Lead, ...], ...] = ()
    cells: Mapping[tuple[str, str, str], list[Cell] | str] = field(default_factory=dict)
    tried: bool = False
    run: str = ""


@dataclass(frozen=True)
class Lead:
    """What a published figure or row, of which a roll-up is made, is made of itself: rows of the returned files."""

    words: str
    rows: tuple[Mapping[str, Any], ...]


def trace(place: Place, *, figure: str, report: str = "") -> list[Traced]:
    """Return a published figure with its explanation, from every report that publishes it.

    Parameters
    ----------
    figure, report
        Name of the figure; of one report only, if it is named.

    Raises
    ------
    StoreError
        If nothing is published there.
    ReportError
        If no report publishes a figure of that name, or it has no explanation.
    """
    documents = list(_documents(place, report=report))
    if not documents:
        what = f"report {report} of {place.portfolio}" if report else f"report of {place.portfolio or 'all'}"
        raise StoreError(
            f"no {what} is published for {place.organisation} {place.period}",
            fix=f"run it: pmo run --org {place.organisation} --period {place.period}",
        )
    found = [document for document in documents if figure in document.get(EXPLAINED, {})]
    if not found:
        raise _unknown(figure, documents=documents)
    return [_traced(document, place=place, figure=figure) for document in found]


def trace_run(run: Kept, *, figure: str, work: Path) -> Traced:
    """Return a figure of a run of the archive with its explanation, from the archive alone.

    Parameters
    ----------
    run
        The run, its files checked.
    figure
        Name of the figure.
    work
        A folder that is not there yet, for the parameters of the run and what others had published before it.

    Raises
    ------
    ReportError
        If the run has no figure of that name, or it has no explanation.
    StoreError
        If what the run was made of is missing or altered.
    """
    if figure not in run.results.get(EXPLAINED, {}):
        raise _unknown(figure, documents=[run.results])
    for one in run.made_of("inputs"):
        unpack(run.root, digest=one.sha256, into=work / "inputs")
    organisation = str(run.asked["organisation"])
    lay_out_published(run, into=inside(work, parts=("outputs", organisation)))
    place = Place(
        work / "inputs", work / "outputs", organisation, str(run.asked["period"]), str(run.asked["portfolio"]), run.root
    )
    return replace(_traced(run.results, place=place, figure=figure), run=run.place)


def lines(traced: Traced) -> Iterator[str]:
    """Yield a traced figure as lines of text: every row is named."""
    told = traced.figure
    value = f"not computable: {told['reason']}" if told["value"] is None else united(told["value"], unit=told["unit"])
    yield f"{told['name']} = {value.strip()}"
    for name in ("label", "definition", "formula", "worked", "unit", "sign", "source"):
        yield f"  {TITLES.get(name, name):<18}{told[name] or '–'}"
    run = f", run {traced.run}" if traced.run else ""
    yield f"  {'report':<18}{traced.report}, snapshot {traced.snapshot[:12]}{run}"
    rows = told["rows"]
    count = sum(row["count"] for row in rows)
    yield f"  {'rows':<18}{count}, n = {told['n']}; looked at: {', '.join(told['looked_at'])}"
    if traced.cells:
        yield f"  {'cells':<18}{LOOKED_AT if traced.tried else HELD}"
    for row, leads in zip(rows, traced.leads or ((),) * len(rows), strict=True):
        yield f"    {_placed(row)}"
        for reference in references([row]):
            if reference in traced.cells:
                yield f"      {_in_cells(reference[2], cells=traced.cells[reference])}"
        for lead in leads:
            yield f"      {lead.words}"
            yield from (f"        {_placed(each)}" for each in lead.rows)
    yield f"  {'made again':<18}{_again(traced)}"


LOOKED_AT = "those that the figure looked at"
HELD = "all that hold something, where trying did not tell which the figure looked at"
TITLES = {"worked": "with the numbers", "source": "source of formula", "sign": "sign rule"}


def _placed(row: Mapping[str, Any]) -> str:
    numbers = f", {'row' if row['count'] == 1 else 'rows'} {row['rows']}" if row["rows"] else ""
    return f"{row['table']} {row['period']}: {row['place']}{numbers}".lstrip()


def _in_cells(reference: str, *, cells: list[Cell] | str) -> str:
    if isinstance(cells, str):
        return cells
    return f"{reference.partition(', ')[0]}, {', '.join(map(str, cells)) or 'no cell that it looked at'}"


def _again(traced: Traced) -> str:
    told, made = traced.figure["value"], traced.again
    if made is None:
        return f"no: {traced.why_not}"
    if told is None or made.value is None:
        return f"not computable from these rows, n = {made.n}"
    same = abs(made.value - told) <= max(1e-9 * abs(told), 5e-6)
    return f"from these rows alone: {plain(made.value)}, n = {made.n}; {'the same' if same else 'NOT THE SAME'}"


def _documents(place: Place, *, report: str) -> Iterator[dict[str, Any]]:
    for path in sorted(place.folder.glob(f"{report or '*'}.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if "figures" in document:
            yield document


def _unknown(figure: str, *, documents: list[dict[str, Any]]) -> ReportError:
    names = sorted({row["name"] for document in documents for row in document["figures"]})
    told = {name for document in documents for name in document.get(EXPLAINED, {})}
    if figure in names:
        return ReportError(f"the figure {figure!r} is published without an explanation", fix="run its report again")
    near = get_close_matches(figure, sorted(told), n=3, cutoff=0.5)
    nearest = f"; the nearest: {', '.join(near)}" if near else ""
    return ReportError(
        f"no published figure is named {figure!r}{nearest}", fix=f"name one of {', '.join(sorted(told))}"
    )


def _traced(document: Mapping[str, Any], *, place: Place, figure: str) -> Traced:
    told = document[EXPLAINED][figure]
    again: Measured | None = None
    why_not, cells, tried = "", {}, False
    try:
        book = opened(document, place=place)
        named, found, given = _found(document, book=book, figure=figure)
        again = named.make(found, given=given)
        if document["portfolio"]:
            used = columns_used(named, rows=found, given=given)
            cells = _cells(told, book=book, used=used, place=place)
            tried = used is not None and {row["table"] for row in told["rows"]} <= used.keys()
    except PmoError as error:
        why_not = str(error)
    rows = () if document["portfolio"] else told["rows"]
    leads = tuple(tuple(led_on(row, figure=figure, place=place)) for row in rows)
    return Traced(str(document["report"]), str(document["snapshot"]), told, again, why_not, leads, cells, tried)


def _cells(
    told: Mapping[str, Any], *, book: Book, used: Mapping[str, list[str]] | None, place: Place
) -> dict[tuple[str, str, str], list[Cell] | str]:
    """Return the cells of every row that a figure names, in the returned files that lie in the archive."""
    returned = Returned(place.archive, place.root, place.organisation)
    chain = {snapshot.period: snapshot for snapshot in book.snapshot.unnoted.chain()}
    return {
        (table, period, reference): returned.cells(
            chain[period], table=table, reference=reference, columns=None if used is None else used.get(table)
        )
        for table, period, reference in references(told["rows"])
        if period in chain
    }


def led_on(row: Mapping[str, Any], *, figure: str, place: Place) -> Iterator[Lead]:
    """Yield what a place that a roll-up names leads on to; nothing where it is a returned file already.

    A published row says itself where it was returned; one that is a sum of many leads on through the portfolio's figure
    of the same name, which is made of the same rows.

    Parameters
    ----------
    row
        One of the places of an explanation, as :func:`pmo_lib.metrics.explained.places` has them.
    figure
        Name of the figure that it is of.
    """
    if row["table"] == REPORTS:
        return
    path, _, what = str(row["place"]).partition(", ")
    file = place.outputs / place.organisation / row["period"] / path
    if not file.exists():
        yield Lead("not published any more", ())
        return
    document = json.loads(file.read_text(encoding="utf-8"))
    if row["table"] == FIGURES:
        yield _through(document, figure=what.removeprefix("figure "))
        return
    published = parse(document).tables.get(row["table"], pd.DataFrame())
    numbers = {int(reference.rpartition(" ")[2]) for _, _, reference in references([row])}
    records = [each for number, each in enumerate(published.to_dict("records"), 1) if number in numbers]
    found = pd.DataFrame(
        [each for record in records for each in _sources(record, period=row["period"])],
        columns=["period", "source_ref"],
    )
    if len(found):
        yield Lead("made from", tuple(places(found, table="")))
    else:
        yield _through(document, figure=figure)


def _through(document: Mapping[str, Any], *, figure: str) -> Lead:
    """Return the rows of a portfolio's figure, as it explains itself."""
    told = document[EXPLAINED].get(figure)
    if told is None:
        return Lead(f"{figure}: published without an explanation", ())
    value = "not computable" if told["value"] is None else united(told["value"], unit=told["unit"])
    return Lead(f"{document['portfolio']}: {figure} = {value}, n = {told['n']}", tuple(told["rows"]))


def _sources(record: Mapping[Any, Any], *, period: str) -> Iterator[tuple[str, str]]:
    """Yield where a published row was returned, now and in the report before: month and ``source_ref``."""
    months = (record.get(name) for name in ("source_period", "return_month"))
    if pd.notna(record.get("source_ref")):
        yield next((str(month) for month in months if pd.notna(month)), period), str(record["source_ref"])
    if pd.notna(record.get("before_ref")):
        yield str(record["before_period"]), str(record["before_ref"])


def remade(document: Mapping[str, Any], *, place: Place, figure: str) -> Measured:
    """Make a published figure again from the rows that it names and from nothing else.

    Raises
    ------
    PmoError
        If the snapshot or the parameters cannot be opened, or the report knows the figure no longer.
    """
    named, rows, given = _found(document, book=opened(document, place=place), figure=figure)
    return named.make(rows, given=given)


def _found(document: Mapping[str, Any], *, book: Book, figure: str) -> tuple[NamedFigure, Rows, Given]:
    """Return a figure, the rows that a document names for it, and what else it is made of."""
    about = book.about
    named = None if about is None else about.named.get(figure)
    if about is None or named is None:
        raise ReportError(f"the report has no definition of {figure!r} any more", fix="use the version that ran it")
    return named, picked(named, about=about, places=references(document[EXPLAINED][figure]["rows"])), about.given


def opened(document: Mapping[str, Any], *, place: Place) -> Book:
    """Return the report that a document is of, opened on its snapshot, by today's parameters and its own settings."""
    portfolio, folder = str(document["portfolio"]), place.outputs / place.organisation
    reports, overrides = load_reports(place.root), document["overrides"]
    settings = settings_for(place.root, org=place.organisation, portfolio=portfolio or None, overrides=overrides)
    snapshot = open_snapshot(Archive(place.archive), period=place.period, snapshot=str(document["snapshot"]))
    return Book(reports.named(str(document["report"])), portfolio, reports, settings, snapshot, folder)
