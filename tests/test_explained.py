"""Figures that explain themselves: what is published comes from the rows that it names, all of them and no other."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openpyxl
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, strategies as st

from pmo_lib import cli
from pmo_lib.audit import Place, led_on, opened, remade, trace
from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import ReportError
from pmo_lib.metrics.explained import (
    Measured,
    added,
    counted,
    explained,
    picked,
    places,
    ranges,
    references,
    united,
    worked,
)
from pmo_lib.metrics.named_costs import Finance
from pmo_lib.metrics.named_risk import Risks
from pmo_lib.parameters.load import find_root
from pmo_lib.report import ABOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser import Browsing

    from pmo_lib.metrics.explained import About, NamedFigure

PERIOD = "2026-09"
SEED, DRAWN, DROPPED, MOST_ROWS = 20260930, 50, 16, 3
ROLLUP = "portfolio_rollup"
Document = dict[str, Any]
Reference = tuple[str, str, str]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Three months of two portfolios, made, ingested and reported by the command."""
    folder = tmp_path_factory.mktemp("explained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PMO_OUTPUTS", str(folder))
        size = ["--periods", "3", "--portfolios", "2", "--projects", "5"]
        done = CliRunner().invoke(cli.commands, ["demo", *size], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        yield folder


@pytest.fixture(scope="module")
def documents(outputs: Path) -> list[Document]:
    """What the portfolios' reports published."""
    paths = sorted((outputs / "demo" / PERIOD).glob("*/*.json"))
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return [document for document in found if document.get("report") in set(ABOUT) - {ROLLUP}]


@pytest.fixture(scope="module")
def whole(outputs: Path) -> Document:
    """What the roll-up published."""
    path = outputs / "demo" / PERIOD / f"{ROLLUP}.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def place_of(document: Document, *, outputs: Path) -> Place:
    """Return where a document is published."""
    return Place(find_root(), outputs, "demo", PERIOD, document["portfolio"])


def drawn(documents: list[Document], *, number: int) -> list[tuple[Document, str]]:
    """Draw published figures at random, the same ones every time."""
    every = [(document, row["name"]) for document in documents for row in document["figures"]]
    return random.Random(SEED).sample(every, number)


def about_of(document: Document, *, outputs: Path) -> About:
    """Return what the figures of a document are about."""
    about = opened(document, place=place_of(document, outputs=outputs)).about
    assert about is not None
    return about


def without_effect(named: NamedFigure, *, about: About, rows: list[Reference]) -> list[Reference]:
    """Return the rows (of a seeded sample, where there are many) that change neither the value nor n if dropped."""
    whole = named.make(picked(named, about=about, places=rows), given=about.given)
    tried = rows if len(rows) <= MOST_ROWS else random.Random(SEED).sample(rows, MOST_ROWS)
    idle = []
    for row in tried:
        left = picked(named, about=about, places=[each for each in rows if each != row])
        made = named.make(left, given=about.given)
        if (made.value, made.n) == (whole.value, whole.n):
            idle.append(row)
    return idle


def test_every_published_figure_is_explained(documents: list[Document], whole: Document) -> None:
    """Every named figure carries definition, formula, unit, sign rule, source, and the numbers or the reason."""
    assert {document["report"] for document in documents} == set(ABOUT) - {ROLLUP}
    for document in [*documents, whole]:
        told = document["explained"]
        assert sorted(told) == sorted(row["name"] for row in document["figures"])
        for row in document["figures"]:
            one = told[row["name"]]
            assert (one["value"], one["unit"]) == (row["value"], row["unit"])
            assert all(one[name] for name in ("definition", "formula", "sign", "source", "looked_at"))
            assert one["worked"] if row["value"] is not None else one["reason"] == row["reason"]
            assert "{" not in one["worked"] + one["formula"]


def test_a_run_is_traced_to_the_cells_of_its_returns(outputs: Path, documents: list[Document]) -> None:
    """From the archive alone a figure leads to cells, and each holds in the returned workbook what is printed."""
    document = next(one for one in documents if one["report"] == "financial_outlook")
    run = f"{PERIOD}/{document['portfolio']}/financial_outlook"
    for each in (outputs / "demo" / PERIOD, outputs / "demo" / "returns"):
        each.rename(each.with_suffix(".away"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PMO_OUTPUTS", str(outputs))
            done = CliRunner().invoke(
                cli.commands, ["trace", "--run", run, "--figure", "in_year_plan"], catch_exceptions=False
            )
    finally:
        for each in (outputs / "demo" / PERIOD, outputs / "demo" / "returns"):
            each.with_suffix(".away").rename(each)
    assert done.exit_code == 0, done.output
    assert re.search(r"made again +from these rows alone: .*; the same", done.output)
    book = openpyxl.load_workbook(next((outputs / "demo" / "returns" / PERIOD).glob(f"{document['portfolio']}-*")))
    cells = re.findall(r"(\w+)!([A-Z]+)(\d+) = (.*?) \((\w+)\)", done.output)
    rows = {row for _, _, row, _, _ in cells}
    assert len(rows) == document["explained"]["in_year_plan"]["n"]
    assert {column for *_, column in cells} == {"period", "measure", "amount"}  # of a sum over months of one measure
    for sheet, letters, row, printed, column in cells:
        assert book[sheet][f"{letters}1"].value == column
        assert str(book[sheet][f"{letters}{row}"].value) == printed


def test_fifty_figures_are_made_again_from_their_rows_alone(documents: list[Document], outputs: Path) -> None:
    """Fifty published figures drawn at random come out the same from the rows that they name and from nothing else."""
    chosen = drawn(documents, number=DRAWN)
    assert len({document["portfolio"] for document, _ in chosen}) == 2
    off = []
    for document, name in chosen:
        made = remade(document, place=place_of(document, outputs=outputs), figure=name)
        told = document["explained"][name]
        same = made.value == pytest.approx(told["value"], rel=1e-9, abs=5e-6) if told["value"] is not None else True
        if not same or made.n != told["n"]:
            off.append((document["portfolio"], name, told["value"], made))
    assert off == []


def test_explanations_read_off_what_the_page_has_made(documents: list[Document], outputs: Path) -> None:
    """Handed the case that made the figures, a report computes none of it again; an auditor without it makes equals."""
    [money, risks] = [
        next(each for each in documents if each["report"] == name and each["portfolio"] == "highways")
        for name in ("financial_outlook", "risk_register")
    ]
    outlook, register = about_of(money, outputs=outputs), about_of(risks, outputs=outputs)
    assert isinstance(outlook, Finance)
    assert isinstance(register, Risks)
    page = dataclasses.replace(outlook, case=outlook.made, opened={}, prepared={}, drawn={})
    assert (page.year, page.lives, page.made.odds) == (outlook.year, outlook.lives, outlook.made.odds)
    handed = dataclasses.replace(register, case=register.made, opened={}, prepared={})
    assert handed.register is register.register
    again = dataclasses.replace(outlook, opened={}, prepared={}, drawn={})
    assert again.year is not outlook.year
    pd.testing.assert_frame_equal(again.year.levels, outlook.year.levels)


def test_no_traced_row_is_idle(documents: list[Document], outputs: Path) -> None:
    """Dropping any one traced row changes the figure or its n (a seeded sample of rows where there are many)."""
    idle = []
    for document, name in drawn(documents, number=DRAWN)[:DROPPED]:
        about = about_of(document, outputs=outputs)
        rows = references(document["explained"][name]["rows"])
        idle += [(name, row) for row in without_effect(about.named[name], about=about, rows=rows)]
    assert idle == []


def test_a_figure_that_claims_all_rows_is_caught(documents: list[Document], outputs: Path) -> None:
    """Claiming every row of the table is no answer: a row that the rule does not use is found idle."""
    [document] = [each for each in documents if (each["portfolio"], each["report"]) == ("highways", "risk_register")]
    about = about_of(document, outputs=outputs)
    honest = about.named["risks_without_owner"]
    greedy = dataclasses.replace(honest, select=lambda: {"risks": about.now("risks")})
    rows = [place for table in ("risks",) for place in places(about.now(table), table=table)]
    assert without_effect(greedy, about=about, rows=references(rows))
    figure = {"name": "risks_without_owner", "value": 1.0 + len(about.now("risks")), "unit": "risks", "reason": None}
    loose = dataclasses.replace(greedy, compute=counted("risks"))
    about.named["risks_without_owner"] = loose  # type: ignore[index]  # a figure that does not even look at its rule
    with pytest.raises(ReportError, match="risks_without_owner"):
        explained(figure, about=about)


def test_cpi_is_the_quotient_of_two_columns_of_the_workbook(documents: list[Document], outputs: Path) -> None:
    """The rows of cpi, looked up by hand in the returned workbook, give earned value ÷ actual cost."""
    [document] = [
        each for each in documents if (each["portfolio"], each["report"]) == ("highways", "financial_outlook")
    ]
    told = document["explained"]["cpi"]
    [at] = told["rows"]
    file, sheet = at["place"].split(", sheet ")
    book = openpyxl.load_workbook(outputs / "demo" / "returns" / PERIOD / file, read_only=True, data_only=True)
    lines = [list(line) for line in book[sheet].iter_rows(values_only=True)]
    header = next(line for line in lines if "earned_value" in line and "actual_cost" in line)
    numbers = [int(reference.rpartition(" ")[2]) for _, _, reference in references(told["rows"])]
    sums = [sum(float(lines[n - 1][header.index(c)]) for n in numbers) for c in ("earned_value", "actual_cost")]
    assert told["value"] == pytest.approx(sums[0] / sums[1], abs=1e-6)
    assert len(numbers) == told["n"] / 2 == at["count"]


def test_what_cannot_be_computed_says_what_was_looked_at(documents: list[Document]) -> None:
    """A figure without a value has its reason, no number put in, and the tables that were looked at."""
    silent = [one for document in documents for one in document["explained"].values() if one["value"] is None]
    assert silent
    assert all(one["reason"] and not one["worked"] and set(one["looked_at"]) <= set(TABLES) for one in silent)


def test_trace_prints_down_to_the_row(outputs: Path) -> None:
    """``pmo trace`` prints value, definition, formula with the numbers, unit, sign, source, and file, sheet and row."""
    asked = ["trace", "--org", "demo", "--period", PERIOD, "--portfolio", "highways", "--figure", "cpi"]
    done = CliRunner().invoke(cli.commands, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for words in ("cpi = 0.", "earned value ÷ actual cost", "sign rule", "PMI", "sheet earned_value, row", "the same"):
        assert words in done.output, done.output
    [told] = trace(Place(find_root(), outputs, "demo", PERIOD, "highways"), figure="cpi", report="financial_outlook")
    assert told.again is not None
    assert told.again.value == pytest.approx(told.figure["value"], abs=5e-7)


def test_the_page_gives_a_command_that_works(outputs: Path) -> None:
    """The command under a figure can be copied as it stands, of a portfolio's page and of the roll-up's."""
    for page, figure in (("highways/risk_register", "risks_open"), (ROLLUP, "projects")):
        text = (outputs / "demo" / PERIOD / f"{page}.html").read_text(encoding="utf-8")
        command = re.search(rf"<code>(pmo trace [^<]*--figure {figure})</code>", text)
        assert command is not None
        done = CliRunner().invoke(cli.commands, command[1].split()[1:], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert f"{figure} = " in done.output


def test_a_figure_of_other_settings_is_made_again_by_them(outputs: Path) -> None:
    """What a run was told to set stands on the page and in the results, and the figure is made again by it."""
    asked = ["--period", "2026-08", "--portfolio", "highways", "--report", "health_check", "--jobs", "1"]
    asked += ["--set", "thresholds.artefacts_red=0.9", "--set", "thresholds.artefacts_amber=0.8"]
    done = CliRunner().invoke(cli.commands, ["run", *asked], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    page = outputs / "demo" / "2026-08" / "highways" / "health_check.html"
    assert "set for this run: thresholds.artefacts_red = 0.9" in page.read_text(encoding="utf-8")
    place = Place(find_root(), outputs, "demo", "2026-08", "highways")
    [told] = trace(place, figure="exceptions")
    assert told.again is not None
    assert told.again.value == told.figure["value"]
    document = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    usual = opened(document | {"overrides": {}}, place=place).about
    assert usual is not None
    assert usual.judgement.figures.set_index("name").at["exceptions", "value"] > told.figure["value"]


def test_figures_of_the_rollup_are_made_again_from_what_they_name(whole: Document, outputs: Path) -> None:
    """Each figure of the roll-up comes out the same from the published rows that it names alone, none of them idle."""
    about, off, idle = about_of(whole, outputs=outputs), [], []
    for name, told in whole["explained"].items():
        rows = references(told["rows"])
        made = about.named[name].make(picked(about.named[name], about=about, places=rows), given=about.given)
        same = told["value"] is None or made.value == pytest.approx(told["value"], rel=1e-9, abs=5e-6)
        off += [] if same and made.n == told["n"] else [(name, told["value"], made)]
        idle += [(name, row) for row in without_effect(about.named[name], about=about, rows=rows)]
    assert (off, idle) == ([], [])


def test_a_rollup_that_counts_a_figure_twice_is_refused(whole: Document, outputs: Path) -> None:
    """A total that the portfolios' figures do not give is not published."""
    about, told = about_of(whole, outputs=outputs), whole["explained"]["risks_open"]
    figure = {"name": "risks_open", "value": told["value"] + 1.0, "unit": "risks", "reason": None}
    with pytest.raises(ReportError, match="risks_open"):
        explained(figure, about=about)


def test_every_figure_of_the_rollup_leads_on_to_sheet_and_row(whole: Document, outputs: Path) -> None:
    """From each published figure or row that is named, the trace goes on to rows of the returned files."""
    place, ends = place_of(whole, outputs=outputs), []
    for name, told in whole["explained"].items():
        for row in told["rows"] if not name.startswith(("reports_", "portfolios_")) else ():
            leads = list(led_on(row, figure=name, place=place))
            assert leads, (name, row)
            nothing = all("= 0 " in lead.words and not lead.rows for lead in leads)
            assert nothing or all("sheet" in each["place"] and each["rows"] for lead in leads for each in lead.rows)
            ends += [each for lead in leads for each in lead.rows]
    assert len(ends) > len(whole["explained"])


def test_whole_life_cost_of_all_is_a_sum_of_workbook_cells(whole: Document, outputs: Path) -> None:
    """The cells that the trace of the whole's cost ends in, added up in the workbooks, are the published total."""
    [traced] = trace(place_of(whole, outputs=outputs), figure="whole_life_cost")
    cells = []
    for each in [row for leads in traced.leads for lead in leads for row in lead.rows]:
        file, sheet = each["place"].split(", sheet ")
        book = openpyxl.load_workbook(outputs / "demo" / "returns" / PERIOD / file, read_only=True, data_only=True)
        lines = [list(line) for line in book[sheet].iter_rows(values_only=True)]
        column = next(line for line in lines if "whole_life_cost_forecast" in line).index("whole_life_cost_forecast")
        numbers = [int(reference.rpartition(" ")[2]) for _, _, reference in references([each])]
        cells += [float(lines[number - 1][column]) for number in numbers]
    assert cells
    assert sum(cells) == pytest.approx(traced.figure["value"], abs=0.005)


def test_trace_without_a_portfolio_is_of_the_whole(outputs: Path) -> None:
    """``pmo trace`` without ``--portfolio`` prints the roll-up's figure, the portfolios' figures in it, and rows."""
    asked = ["trace", "--org", "demo", "--period", PERIOD, "--figure", "risks_open"]
    done = CliRunner().invoke(cli.commands, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for words in ("highways/risk_register.json, figure risks_open", "highways: risks_open = ", "sheet risks, row",
                  "the same"):  # fmt: skip
        assert words in done.output, done.output


def test_the_rollup_links_the_figures_that_it_adds_up(outputs: Path, browsing: Browsing) -> None:
    """On the page, each portfolio's figure of a total leads to its own explanation on the portfolio's page."""
    folder = outputs / "demo" / PERIOD
    with browsing.open(folder / f"{ROLLUP}.html", folder=folder, width=400, javascript=False) as visit:
        assert visit.count(".kpi") == visit.count(".kpi details.why")
        visit.page.locator("#figure-whole_life_cost summary").click()
        links = visit.page.locator("#figure-whole_life_cost dd a").all()
        assert len(links) == 2
        links[0].click()
        assert visit.page.locator("#figure-whole_life_cost").count() == 1
        assert visit.page.url.endswith("financial_outlook.html#figure-whole_life_cost")


def test_an_unknown_figure_names_the_nearest(outputs: Path) -> None:
    """An unknown name is refused with the nearest names and all of them; so is a portfolio without pages."""
    place = Place(find_root(), outputs, "demo", PERIOD, "highways")
    with pytest.raises(ReportError, match=r"'cpj'; the nearest: cpi.*name one of accruals, .*ytd_plan"):
        trace(place, figure="cpj")
    asked = ["trace", "--period", PERIOD, "--portfolio", "nowhere", "--figure", "cpi"]
    done = CliRunner().invoke(cli.commands, asked)
    assert "no report of nowhere is published" in str(done.exception)


def test_one_click_shows_how_a_figure_is_made(outputs: Path, browsing: Browsing) -> None:
    """A tile's explanation opens by click and by keyboard, without a script; the list holds all; 400 px fit."""
    folder = outputs / "demo" / PERIOD
    page = folder / "highways" / "financial_outlook.html"
    with browsing.open(page, folder=folder, width=400, javascript=False) as visit:
        tile = visit.page.locator(".kpi details.why").first
        assert not tile.locator("dl").is_visible()
        tile.locator("summary").click()
        assert {"Formula", "Rows"} <= set(tile.locator("dt").all_inner_texts())
        assert "sheet finance" in tile.inner_text()
        tile.locator("summary").press("Enter")
        assert not tile.locator("dl").is_visible()
        assert visit.count(".kpi") == visit.count(".kpi details.why")
        told = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["explained"]
        assert visit.count("details.figure") == len(told)
        visit.page.locator("#figure-cpi summary").click()
        assert "earned value ÷ actual cost" in visit.page.locator("#figure-cpi").inner_text()
        wide = visit.page.locator("main").evaluate("main => main.scrollWidth - main.clientWidth")
        assert wide <= 0


@given(st.sets(st.integers(1, 400), max_size=60), st.sampled_from(["a, b.xlsx, sheet x", "gmpp.csv"]))
def test_places_hold_every_row(rows: set[int], place: str) -> None:
    """Rows written as ranges are read back as the same rows, none lost and none added."""
    refs = [f"{place}, row {row}" for row in sorted(rows)]
    table = pd.DataFrame({"period": [PERIOD] * len(refs), "source_ref": refs}, dtype="str")
    assert references(places(table, table="risks")) == [("risks", PERIOD, ref) for ref in refs]


def test_ranges_and_formulas_are_written_for_people() -> None:
    """Runs are written with a dash, numbers are put into the formula in full."""
    assert ranges([23, 4, 5, 6, 8]) == "4–6, 8, 23"
    made = Measured(0.5, 2, {"earned value": 1234567.5, "actual cost": 2469135.0})
    assert worked("{earned value} ÷ {actual cost}", made=made, unit="ratio") == "1,234,567.50 ÷ 2,469,135 = 0.5"


def test_numbers_are_told_as_people_write_them() -> None:
    """No idle zeros, one of a thing is no plural, and what is taken away has a minus of its own."""
    told = [
        united(value, unit=unit) for value, unit in ((179.6, "days"), (1.0, "projects"), (0.0, "risks"), (1.0, "GBP"))
    ]
    assert told == ["179.6 days", "1 project", "0 risks", "1 GBP"]
    assert (united(0.429264, unit="share"), united(100.0, unit="")) == ("0.429264", "100")
    assert added([-99200.0, 10.5, -900.0]) == "−99,200 + 10.5 − 900"
    assert added([]) == "0"


def test_no_formula_repeats_itself(documents: list[Document]) -> None:
    """A formula in words stands once: with the numbers put in it tells something else, and raters keep their names."""
    for document in documents:
        for one in document["explained"].values():
            sides = [side.strip() for side in one["formula"].split(" = ")]
            assert len(sides) == len(set(sides)), one["name"]
    labels = {one["label"] for document in documents for one in document["explained"].values()}
    assert {"PM rated", "PM green"} <= labels
