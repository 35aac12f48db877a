"""Intake on six years of real portfolios: every number here is counted a second way, by plain csv reading.

What the README of the data says of the files is reproduced: projects per period, common, new and left, ratings by
rater, whole-life cost, in-year variance recomputed, and every non-empty cell accounted for.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
import time
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pmo_lib.contracts.returned import Checked
from pmo_lib.intake.check import check
from pmo_lib.parameters.load import load_mapping, load_organisation
from pmo_lib.parameters.mapping import Mapping

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "2019-09": ("gmpp_2019_20.csv", "latin-1"),
    "2021-03": ("gmpp_2020_21.csv", "cp1252"),
    "2022-03": ("gmpp_2021_22.csv", "utf-8-sig"),
    "2023-03": ("gmpp_2022_23.csv", "utf-8-sig"),
    "2024-03": ("gmpp_2023_24.csv", "utf-8-sig"),
    "2025-03": ("gmpp_2024_25.csv", "utf-8-sig"),
}
PROJECTS = {"2019-09": 125, "2021-03": 184, "2022-03": 235, "2023-03": 244, "2024-03": 227, "2025-03": 213}
PLAIN_MONEY = re.compile(r"£?-?[\d,]+(\.\d+)?")
SECONDS = 20  # of one processor for all six files, imports included; a third of that on an idle machine


# --- the second way ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(real_data: Path) -> dict[str, list[dict[str, str]]]:
    """Return the records of each period, read with the csv module alone: header (blanks collapsed) → cell."""
    records = {}
    for period, (name, encoding) in FILES.items():
        text = (real_data / "uk_gmpp" / name).read_bytes().decode(encoding)
        rows = list(csv.reader(io.StringIO(text, newline="")))
        if period == "2019-09":
            rows = [list(column) for column in zip(*rows, strict=True)]
        header = [" ".join(cell.split()) for cell in rows[0]]
        records[period] = [dict(zip(header, row, strict=True)) for row in rows[1:] if any(cell.strip() for cell in row)]
    return records


def cell(record: dict[str, str], *beginnings: str) -> str:
    """Return the cell whose header begins with one of these."""
    found = [
        value for header, value in record.items() if header.lower().startswith(tuple(b.lower() for b in beginnings))
    ]
    return found[0] if found else ""


def amount(text: str) -> Decimal | None:
    """Return a single figure in millions; None for words and ranges."""
    bare = text.strip()
    return Decimal(bare.replace("£", "").replace(",", "")) if PLAIN_MONEY.fullmatch(bare) else None


def department(record: dict[str, str]) -> str:
    """Return the department's code in capitals."""
    return cell(record, "Department").strip().upper().replace("DEFRA & DFT", "DEFRA-DFT")


def project_id(record: dict[str, str]) -> str:
    """Return the id as published."""
    return cell(record, "GMPP ID").strip()


WHOLE_LIFE = ("TOTAL Baseline Whole Life", "Whole Life Cost (")
MONEY = {
    ("projects", None, "whole_life_cost_baseline"): WHOLE_LIFE,
    ("finance", "plan", "amount"): ("Financial Year Baseline",),
    ("finance", "forecast", "amount"): ("Financial Year Forecast",),
}


# --- our way ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mapping() -> Mapping:
    """Return the mapping of the project."""
    return load_mapping(ROOT, org="uk_gmpp", name="uk_gmpp")


@pytest.fixture(scope="module")
def timed(real_data: Path, mapping: Mapping) -> tuple[list[Checked], float]:
    """Return all six periods as checked, and the processor seconds that it took."""
    organisation = load_organisation(ROOT, org="uk_gmpp")
    begun = time.process_time()
    checked = check([real_data / "uk_gmpp"], organisation=organisation, mapping=mapping)
    return checked, time.process_time() - begun


@pytest.fixture(scope="module")
def periods(timed: tuple[list[Checked], float]) -> dict[str, Checked]:
    """Return the checked returns by period."""
    return {checked.period: checked for checked in timed[0]}


def ids(checked: Checked) -> set[str]:
    """Return the ids of the projects."""
    return set(checked.tables["projects"]["project_id"])


# --- projects and portfolios ------------------------------------------------------------------------------------


def test_six_files_are_checked_in_seconds(timed: tuple[list[Checked], float]) -> None:
    """Six years of a national portfolio are checked while somebody waits."""
    assert timed[1] < SECONDS


def test_every_period_has_its_projects(periods: dict[str, Checked]) -> None:
    """The number of projects is that of the publications; the period is the month of the status date."""
    assert {period: len(checked.tables["projects"]) for period, checked in periods.items()} == PROJECTS
    days = {period: checked.status_date.isoformat() for period, checked in periods.items()}
    assert days["2019-09"] == "2019-09-30"
    assert all(day == f"{period}-31" for period, day in days.items() if period != "2019-09")


def test_projects_and_departments_are_those_of_the_files(periods: dict[str, Checked], plain: dict[str, Any]) -> None:
    """Each project stands in the department that its record names, under its id in capitals and as it was written."""
    for period, checked in periods.items():
        ours = checked.tables["projects"]
        wanted = {(department(r), project_id(r).upper(), project_id(r)) for r in plain[period]}
        assert set(ours[["portfolio_id", "project_id", "id_as_returned"]].itertuples(index=False, name=None)) == wanted


def test_common_new_and_left_between_neighbours(periods: dict[str, Checked]) -> None:
    """Year to year the folded ids give the published counts; as published, four changes of case look like moves."""
    counts = [(len(ids(a) & ids(b)), len(ids(b) - ids(a)), len(ids(a) - ids(b))) for a, b in pairwise(periods.values())]
    assert counts == [(85, 99, 40), (159, 76, 25), (206, 38, 29), (191, 36, 53), (198, 15, 29)]
    written = [set(checked.tables["projects"]["id_as_returned"]) for checked in list(periods.values())[:2]]
    assert (len(written[0] & written[1]), len(written[1] - written[0]), len(written[0] - written[1])) == (81, 103, 44)


def test_the_four_changes_of_case_are_findings(periods: dict[str, Checked]) -> None:
    """An id that is written another way is one project and a notice, at the cell of the id."""
    found = periods["2021-03"].findings.query("rule == 'id-case-changed'")
    assert sorted(re.findall(r"written (\S+) in", " ".join(found["message"]))) == [
        "DfT_0022_1415-Q4", "MoD_0109_1617-Q2", "MoJ_0043_1920-Q2", "MoJ_0045_1920-Q2",
    ]  # fmt: skip
    assert set(found["severity"]) == {"notice"}
    assert found["cell"].str.match(r"A\d+$").all()
    others = [checked.findings["rule"].eq("id-case-changed").sum() for p, checked in periods.items() if p != "2021-03"]
    assert sum(others) == 0


def test_projects_whose_id_was_renamed_are_noticed(periods: dict[str, Checked]) -> None:
    """Four projects of the health department got another prefix: a project of the same name is noticed, not joined."""
    found = periods["2021-03"].findings.query("rule == 'project-id-renamed?'")
    assert len(found) == 4
    assert set(found["portfolio_id"]) == {"DHSC"}


def test_portfolios_come_from_the_data_with_names_and_a_parent(
    periods: dict[str, Checked], plain: dict[str, Any]
) -> None:
    """Every department of a period is a portfolio below the government, and every one has a name in full."""
    for period, checked in periods.items():
        portfolios = checked.tables["portfolios"].set_index("portfolio_id")
        departments = {department(record) for record in plain[period]}
        assert set(portfolios.index) == departments | {"GOV"}
        assert portfolios.loc[sorted(departments), "parent_id"].eq("GOV").all()
        assert portfolios.loc["GOV", ["level", "name"]].tolist() == ["enterprise", "UK Government"]
        assert not (portfolios["name"] == portfolios.index).any()
        assert set(portfolios["currency"]) == {"GBP"}


# --- cells ------------------------------------------------------------------------------------------------------


def test_every_cell_is_typed_stated_faulty_or_left_aside(periods: dict[str, Checked], plain: dict[str, Any]) -> None:
    """The non-empty cells that the csv module counts are those of the books, and the books add up."""
    for period, checked in periods.items():
        (account,) = checked.cells.to_dict("records")
        held = sum(bool(value.strip()) for record in plain[period] for value in record.values())
        assert account["cells_in"] == held
        assert held == account["typed"] + account["stated"] + account["faulty"] + account["ignored"]


def test_left_aside_are_only_the_words_of_the_other_rater(periods: dict[str, Checked], plain: dict[str, Any]) -> None:
    """NA and Not Applicable in a rating's column say no more than a blank; nothing else is left aside."""
    for period, checked in periods.items():
        words = Counter(
            cell(record, f"{rater} Delivery Confidence").strip().lower()
            for record in plain[period]
            for rater in ("IPA", "SRO")
        )
        assert checked.cells["ignored"].item() == words["na"] + words["not applicable"]


def test_one_cell_of_six_files_cannot_be_read(periods: dict[str, Checked]) -> None:
    """A 'No' where a start date should be: a finding at its cell, and the row is kept without it."""
    errors = pd.concat([checked.findings.query("severity == 'error'") for checked in periods.values()])
    (error,) = errors.to_dict("records")
    assert (error["file"], error["cell"], error["column"]) == ("gmpp_2024_25.csv", "H90", "start_baseline_on")
    assert (error["value"], error["action"], error["key"]) == ("No", "nulled", "DFT_0439_2425-Q3")
    assert sum(int(checked.cells["faulty"].sum()) for checked in periods.values()) == 1
    assert all(checked.quarantined.empty for checked in periods.values())


def test_withheld_cells_carry_the_words_of_the_source(periods: dict[str, Checked], plain: dict[str, Any]) -> None:
    """Each whole-life cost that is exempt has a state with its reason, and no value; counted by the csv module too."""
    for period, checked in periods.items():
        states = checked.tables["states"].query("column_name == 'whole_life_cost_baseline' and state == 'withheld'")
        words = {
            project_id(r).upper(): " ".join(cell(r, *WHOLE_LIFE).split())
            for r in plain[period]
            if re.match(r"\s*(exempt|section)", cell(r, *WHOLE_LIFE), re.IGNORECASE)
        }
        assert dict(zip(states["row_key"], states["reason"], strict=True)) == words
        costs = checked.tables["projects"].set_index("project_id")["whole_life_cost_baseline"]
        assert costs[list(words)].isna().all()


def test_ranges_keep_low_mid_and_high(periods: dict[str, Checked], plain: dict[str, Any]) -> None:
    """In 2024/25, 55 cells are ranges (48 with a low end): none is a value, a range of one point neither."""
    states = periods["2025-03"].tables["states"].query("state == 'range'")
    cells = [
        v for r in plain["2025-03"] for h, v in r.items() if re.match(r"\s*(Low|Mid): ", v) and "Narrative" not in h
    ]
    assert len(states) == len(cells) == 55
    assert states["low"].notna().sum() == sum(v.startswith("Low") for v in cells) == 48
    date_range = states.query("column_name == 'finish_baseline_on' and low == '2025-03-31' and high == '2025-05-31'")
    assert date_range[["mid", "reason"]].to_numpy().tolist() == [
        ["2025-04-30", "Low: 31/03/2025, Mid: 30/04/2025, High: 31/05/2025"]
    ]
    money = states.query("low == '2750000000.00'")
    assert money[["mid", "high"]].to_numpy().tolist() == [["2820000000.00", "3100000000.00"]]
    open_ended = states.query("reason == 'Mid: 20,300.00, High: 53,300.00'")
    assert open_ended["low"].isna().all()


def test_a_zero_that_was_not_monetised_is_not_zero(periods: dict[str, Checked]) -> None:
    """A benefit of 0 whose narrative says 'no monetised benefits' has no value and a reason."""
    states = periods["2024-03"].tables["states"]
    unset = states.query("column_name == 'benefits_baseline'")
    unset = unset[unset["reason"].str.startswith("0: ")]
    assert set(unset["state"]) == {"not set"}
    assert unset["reason"].str.contains("monetis").all()
    benefits = periods["2024-03"].tables["projects"].set_index("project_id")["benefits_baseline"]
    assert benefits[unset["row_key"]].isna().all()
    assert (benefits == 0).any()


# --- money ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "measure", "column"), MONEY, ids=str)
def test_money_per_department_is_what_plain_reading_adds_up(
    periods: dict[str, Checked], plain: dict[str, Any], table: str, measure: str | None, column: str
) -> None:
    """Whole-life cost, plan and forecast of every department and period equal sums by the csv module, to the penny."""
    for period, checked in periods.items():
        rows = checked.tables[table]
        rows = rows if measure is None else rows[rows["measure"] == measure]
        ours: dict[str, Decimal] = {}
        for portfolio, value in zip(rows["portfolio_id"], rows[column], strict=True):
            ours[portfolio] = ours.get(portfolio, Decimal(0)) + (value or 0)
        theirs: dict[str, Decimal] = dict.fromkeys(ours, Decimal(0))
        for record in plain[period]:
            millions = amount(cell(record, *MONEY[table, measure, column]))
            if millions is not None:
                theirs[department(record)] += (millions * 1_000_000).quantize(Decimal("0.01"))
        assert ours == theirs


def test_whole_life_cost_totals(periods: dict[str, Checked]) -> None:
    """The totals of the last two years in millions, as computed by hand from the publications."""
    totals = {
        p: sum(v for v in periods[p].tables["projects"]["whole_life_cost_baseline"] if v)
        for p in ("2024-03", "2025-03")
    }
    assert round(totals["2024-03"] / 1_000_000) == 447_995
    assert totals["2025-03"] == Decimal("535604060000.00")


def test_finance_is_of_the_fiscal_year(periods: dict[str, Checked]) -> None:
    """In-year figures are annual and end in March, also those of the file that speaks of September 2019."""
    assert {p: set(c.tables["finance"]["period"]) for p, c in periods.items()} == {
        "2019-09": {"2020-03"}, "2021-03": {"2021-03"}, "2022-03": {"2022-03"}, "2023-03": {"2023-03"},
        "2024-03": {"2024-03"}, "2025-03": {"2025-03"},
    }  # fmt: skip
    assert all(set(c.tables["finance"]["period_kind"]) == {"year"} for c in periods.values())


def test_rows_and_money_of_every_table_close(periods: dict[str, Checked]) -> None:
    """Rows in = used + quarantined + ignored, and the same for money, per table and department."""
    for checked in periods.values():
        books = checked.accounting
        assert (books["rows_in"] == books["used"] + books["quarantined"] + books["ignored"]).all()
        assert (books["money_in"] == books["money_used"] + books["money_quarantined"]).all()
        for table, used in books.groupby("table")["used"].sum().items():
            assert used == len(checked.tables.get(str(table), ()))


# --- ratings and published figures ------------------------------------------------------------------------------


def test_ratings_keep_their_rater(periods: dict[str, Checked]) -> None:
    """In 2025-03, 110 projects are rated by their owner and 86 by the assurer, and none by both."""
    status = periods["2025-03"].tables["status"].dropna(subset="rating")
    raters = status.groupby("assessor_role")["project_id"].agg(set)
    assert {role: len(projects) for role, projects in raters.items()} == {"IPA": 86, "SRO": 110}
    assert not raters["IPA"] & raters["SRO"]
    shares = status.groupby("assessor_role")["rating"].value_counts(normalize=True).round(2)
    assert (shares["SRO", "green"], shares["SRO", "red"]) == (0.23, 0.10)
    assert (shares["IPA", "green"], shares["IPA", "red"]) == (0.06, 0.23)


def test_ratings_are_those_of_the_files(periods: dict[str, Checked], plain: dict[str, Any]) -> None:
    """Counted by the csv module, each rater gave each rating as often; the scale is five-point until 2021-03."""
    for period, checked in periods.items():
        status = checked.tables["status"]
        ours = Counter(status.dropna(subset="rating")[["assessor_role", "rating"]].itertuples(index=False, name=None))
        theirs = Counter(
            (rater, word)
            for record in plain[period]
            for rater in ("IPA", "SRO")
            if (word := cell(record, f"{rater} Delivery Confidence").strip().lower()).partition("/")[0]
            in ("red", "amber", "green")
        )
        assert ours == theirs
        assert set(status["rating_scale"]) == {"five-point" if period <= "2021-03" else "three-point"}
        assert set(status["project_id"]) == ids(checked)


def test_the_published_variance_is_computed_again(periods: dict[str, Checked]) -> None:
    """Within one and a half points it recomputes in all but 1 and 11 rows; each other one is a finding at its cell."""
    compared, wrong = {}, {}
    for period, checked in periods.items():
        figures = checked.tables["published_figures"].dropna(subset=["published", "recomputed"])
        compared[period] = len(figures)
        wrong[period] = int(((figures["published"] - figures["recomputed"]).abs() > 0.015).sum())
        found = checked.findings.query("rule == 'published-figure'")
        assert len(found) == wrong[period]
        assert found["severity"].eq("warning").all()
        assert found["cell"].ne("").all()
    assert compared == {
        "2019-09": 114, "2021-03": 163, "2022-03": 198, "2023-03": 206, "2024-03": 191, "2025-03": 177,
    }  # fmt: skip
    assert wrong == {"2019-09": 1, "2021-03": 0, "2022-03": 11, "2023-03": 0, "2024-03": 0, "2025-03": 0}


def test_the_last_year_is_absolute_and_says_so(periods: dict[str, Checked]) -> None:
    """Signed, 61 of 177 rows would agree; absolute, all do: the row states which rule the source wrote it by."""
    signs = {period: set(c.tables["published_figures"]["sign_rule"]) for period, c in periods.items()}
    assert signs.pop("2025-03") == {"absolute"}
    assert set.union(*signs.values()) == {"signed"}
    finance = periods["2025-03"].tables["finance"]
    wide = finance.pivot_table(index="project_id", columns="measure", values="amount", aggfunc="first")
    change = (wide["forecast"].astype(float) / wide["plan"].astype(float) - 1).dropna()
    published = periods["2025-03"].tables["published_figures"].set_index("project_id")["published"].dropna()
    both = change.index.intersection(published.index)
    assert int(((change[both] - published[both]).abs() <= 0.015).sum()) == 61


# --- lineage ----------------------------------------------------------------------------------------------------


def test_departments_that_became_others_are_in_the_lineage_from_then_on(periods: dict[str, Checked]) -> None:
    """A succession stands under both departments in every period from its day on, and in none before."""
    first = {}
    for period, checked in periods.items():
        for row in checked.tables.get("lineage", pd.DataFrame()).to_dict("records"):
            if row["kind"] != "transferred":
                step = (row["from_id"], row["to_id"], row["kind"], str(row["effective_on"])[:10])
                first.setdefault(step, set()).add((period, row["portfolio_id"]))
    assert {step: min(found)[0] for step, found in first.items()} == {
        ("FCO", "FCDO", "merged", "2020-09-02"): "2021-03",
        ("DFID", "FCDO", "merged", "2020-09-02"): "2021-03",
        ("MHCLG", "DLUHC", "renamed", "2021-09-18"): "2022-03",
        ("BEIS", "DBT", "split", "2023-02-07"): "2023-03",
        ("BEIS", "DESNZ", "split", "2023-02-07"): "2023-03",
        ("BEIS", "DSIT", "split", "2023-02-07"): "2023-03",
        ("DLUHC", "MHCLG", "renamed", "2024-07-09"): "2025-03",
    }
    for (before, after, _, _), found in first.items():
        since = min(found)[0]
        assert found == {(p, end) for p in periods if p >= since for end in (before, after)}


def test_projects_that_changed_department_stand_under_both(periods: dict[str, Checked], plain: dict[str, Any]) -> None:
    """Nineteen projects moved in 2022/23; every move of every year is in the lineage of sender and receiver."""
    for before, period in pairwise(FILES):
        homes = {project_id(r).upper(): department(r) for r in plain[before]}
        moves = {
            (homes[p], department(r), p)
            for r in plain[period]
            if (p := project_id(r).upper()) in homes and homes[p] != department(r)
        }
        lineage = periods[period].tables["lineage"].query("kind == 'transferred'")
        ours = set(lineage[["portfolio_id", "from_id", "to_id", "project_id"]].itertuples(index=False, name=None))
        assert ours == {(end, *move) for move in moves for end in move[:2]}
        assert (lineage["effective_on"].dt.date == periods[period].status_date).all()
        if period == "2023-03":
            assert len(moves) == 19


def test_departments_that_are_not_in_a_file_are_listed(periods: dict[str, Checked]) -> None:
    """A department that had projects and has none now has not returned, unless lineage says that it is no more."""
    missing = {
        period: list(checked.returns.query("state == 'not returned'")["portfolio_id"])
        for period, checked in periods.items()
    }
    assert {period: names for period, names in missing.items() if names} == {
        "2022-03": ["DEFRA-DFT"],
        "2025-03": ["NCA"],
    }


# --- a new year -------------------------------------------------------------------------------------------------

RENAMED = {
    "GMPP ID": "Project Reference",
    "Project Name": "Name of Project",
    "IPA Delivery Confidence Assessment": "NISTA Confidence Rating",
    "Financial Year Baseline (£m)": "Budget for 2025/26 (£m)",
    "Whole Life Cost (£m)": "Cost over the Whole Life (£m)",
}
ALIASES = {
    "id": "Project Reference",
    "name": "Name of Project",
    "ipa_rating": "NISTA Confidence Rating",
    "baseline": "Budget for 2025/26 (£m)",
    "whole_life_cost": "Cost over the Whole Life (£m)",
}


@pytest.fixture
def next_year(real_data: Path, tmp_path: Path) -> Path:
    """Return a made-up file of the next year: the latest, five columns renamed and the last moved to the front."""
    text = (real_data / "uk_gmpp" / "gmpp_2024_25.csv").read_bytes().decode("utf-8-sig")
    rows = [[row[-1], *row[:-1]] for row in csv.reader(io.StringIO(text, newline=""))]
    rows[0] = [RENAMED.get(header, header) for header in rows[0]]
    path = tmp_path / "gmpp_2025_26.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def test_a_new_year_needs_new_aliases_only(next_year: Path, mapping: Mapping, periods: dict[str, Checked]) -> None:
    """With five aliases more and nothing else, the next year's file gives what the same rows gave the year before."""
    whole = mapping.model_dump()
    for name, alias in ALIASES.items():
        column = whole["sheets"][0]["columns"][name]
        column["aliases"] = (*column["aliases"], alias)
    organisation = load_organisation(ROOT, org="uk_gmpp")
    (checked,) = check([next_year], organisation=organisation, mapping=Mapping.model_validate(whole))
    assert (checked.period, checked.status_date.isoformat()) == ("2026-03", "2026-03-31")
    assert set(checked.tables["finance"]["period"]) == {"2026-03"}
    for name in ("projects", "status", "finance", "published_figures"):
        ours, last = checked.tables[name], periods["2025-03"].tables[name]
        differ = [column for column in ours if column not in ("source_ref", "status_date", "period")]
        pd.testing.assert_frame_equal(ours[differ], last[differ])


def test_a_new_year_without_aliases_is_refused_with_what_to_do(next_year: Path, mapping: Mapping) -> None:
    """Renamed columns that a return cannot do without refuse it; the others are named as unknown, with their cells."""
    from pmo_lib.errors import SnapshotRefused

    with pytest.raises(SnapshotRefused) as error:
        check([next_year], organisation=load_organisation(ROOT, org="uk_gmpp"), mapping=mapping)
    findings = error.value.data["findings"]
    missing = findings.query("rule == 'column-missing'")
    assert set(missing["column"]) == {"id", "name"}
    assert missing["fix"].str.contains("aliases").all()
    assert set(findings.query("rule == 'unknown-column'")["value"]) == set(RENAMED.values())


def test_one_period_is_read_alone(
    real_data: Path, mapping: Mapping, periods: dict[str, Checked], tmp_path: Path
) -> None:
    """Asked for one period of a folder, only its file is read: a broken neighbour does not matter."""
    for name, _ in list(FILES.values())[:2]:
        shutil.copy(real_data / "uk_gmpp" / name, tmp_path / name)
    (tmp_path / "gmpp_2023_24.csv").write_bytes(b"\0 broken")
    organisation = load_organisation(ROOT, org="uk_gmpp")
    before = periods["2019-09"].tables
    (checked,) = check(
        [tmp_path], organisation=organisation, mapping=mapping, period="2021-03", previous=lambda period: before
    )
    for name, rows in periods["2021-03"].tables.items():
        pd.testing.assert_frame_equal(checked.tables[name], rows)
    pd.testing.assert_frame_equal(checked.findings, periods["2021-03"].findings)
