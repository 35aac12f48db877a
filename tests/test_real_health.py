"""The health check on six years of real portfolios: every number is counted a second way, by plain csv reading."""

from __future__ import annotations

import csv
import io
import statistics
from collections import Counter
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from pmo_lib.intake.check import check
from pmo_lib.metrics import disclosure, ratings, schedule
from pmo_lib.metrics.movement import Between, membership
from pmo_lib.parameters.load import load_mapping, load_organisation

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "2019-09": ("gmpp_2019_20.csv", "latin-1", date(2019, 9, 30)),
    "2021-03": ("gmpp_2020_21.csv", "cp1252", date(2021, 3, 31)),
    "2022-03": ("gmpp_2021_22.csv", "utf-8-sig", date(2022, 3, 31)),
    "2023-03": ("gmpp_2022_23.csv", "utf-8-sig", date(2023, 3, 31)),
    "2024-03": ("gmpp_2023_24.csv", "utf-8-sig", date(2024, 3, 31)),
    "2025-03": ("gmpp_2024_25.csv", "utf-8-sig", date(2025, 3, 31)),
}
PAIRS = list(pairwise(FILES))
COLOURS = ("green", "amber/green", "amber", "amber/red", "red")
WHOLE = "GOV"  # all departments read as one portfolio
Plain = dict[str, dict[str, dict[str, str]]]


# --- the second way -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(real_data: Path) -> Plain:
    """Return, by period and id in capitals, the cells that the health check uses, read with the csv module alone."""
    periods = {}
    for period, (name, encoding, _) in FILES.items():
        text = (real_data / "uk_gmpp" / name).read_bytes().decode(encoding)
        rows = list(csv.reader(io.StringIO(text, newline="")))
        if period == "2019-09":
            rows = [list(column) for column in zip(*rows, strict=True)]
        header = [" ".join(cell.split()) for cell in rows[0]]
        records = [dict(zip(header, row, strict=True)) for row in rows[1:]]
        periods[period] = {cell(r, "GMPP ID").strip().upper(): r for r in records if cell(r, "GMPP ID").strip()}
    return periods


def cell(record: dict[str, str], *beginnings: str) -> str:
    """Return the cell whose header begins with one of these."""
    return next((value for header, value in record.items() if header.startswith(beginnings)), "")


def end(record: dict[str, str]) -> date | None:
    """Return the approved end date; None for words and ranges."""
    text = cell(record, "Project - End Date", "End Date").strip()
    for form in ("%d/%m/%Y", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return None


def rating(record: dict[str, str], rater: str) -> str | None:
    """Return one rater's rating in lower case; None where the cell holds no rating."""
    text = cell(record, f"{rater} Delivery Confidence").strip().lower()
    return text if text in COLOURS else None


# --- our way --------------------------------------------------------------------------------------------------

Histories = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def departments(real_data: Path) -> Histories:
    """Return the histories that intake makes of the files, as a report opens them: departments are portfolios."""
    organisation = load_organisation(ROOT, org="uk_gmpp")
    mapping = load_mapping(ROOT, org="uk_gmpp", name="uk_gmpp")
    found = check([real_data / "uk_gmpp"], organisation=organisation, mapping=mapping)
    names = ("projects", "status", "states")
    return {
        name: pd.concat([each.tables[name].assign(period=each.period) for each in found], ignore_index=True)
        for name in names
    }


@pytest.fixture(scope="module")
def whole(departments: Histories) -> Histories:
    """Return the same histories with all departments as one portfolio."""
    return {name: table.assign(portfolio_id=WHOLE) for name, table in departments.items()}


def moved(tables: Histories, *, between: Between) -> pd.DataFrame:
    """Return the movements of the approved end dates."""
    return schedule.finishes(
        tables["projects"],
        status=tables["status"],
        states=tables["states"],
        column="finish_baseline_on",
        between=between,
    )


def rated(tables: Histories, *, between: Between) -> pd.DataFrame:
    """Return the ratings of a period against an earlier one."""
    return ratings.ratings(tables["status"], projects=tables["projects"], states=tables["states"], between=between)


# --- the numbers ----------------------------------------------------------------------------------------------


def test_ratings_by_rater_in_2025(whole: Histories, plain: Plain) -> None:
    """In March 2025 the SROs rate 23 % green and 10 % red (n = 110), the IPA 6 % and 23 % (n = 86)."""
    found = ratings.counts(whole["status"], states=whole["states"], between=Between(WHOLE, "2025-03"))
    latest = found[(found["period"] == "2025-03") & found["share"].notna()].set_index(["assessor_role", "rating"])
    for rater, n, green, red in (("SRO", 110, 0.23, 0.10), ("IPA", 86, 0.06, 0.23)):
        assert set(latest.loc[rater, "rated"]) == {n}
        assert latest.loc[(rater, "green"), "share"] == pytest.approx(green, abs=0.005)
        assert latest.loc[(rater, "red"), "share"] == pytest.approx(red, abs=0.005)
        counted = Counter(filter(None, (rating(record, rater) for record in plain["2025-03"].values())))
        assert latest.loc[rater, "projects"].to_dict() == dict(counted)


def test_no_project_carries_both_raters(whole: Histories, plain: Plain) -> None:
    """In March 2025 no project was rated by both, so that raters are never averaged here."""
    now = rated(whole, between=Between(WHOLE, "2025-03", "2024-03"))
    per_project = now[now["rating"].notna()].groupby("project_id")["assessor_role"].nunique()
    assert per_project.max() == 1
    assert not any(rating(record, "SRO") and rating(record, "IPA") for record in plain["2025-03"].values())


@pytest.mark.parametrize(("since", "period"), PAIRS)
def test_rating_movements_between_neighbours(whole: Histories, plain: Plain, since: str, period: str) -> None:
    """Between neighbours the ratings by one rater move as counted by hand; over the change of scale none compares."""
    now = rated(whole, between=Between(WHOLE, period, since))
    found = Counter(now.loc[now["movement"].isin(["better", "worse", "same"]), "movement"])
    expected: Counter[str] = Counter()
    for key, record in plain[period].items():
        for rater in ("IPA", "SRO"):
            here, there = rating(record, rater), rating(plain[since].get(key, {}), rater)
            if here and there and (since, period) != ("2021-03", "2022-03"):
                steps = COLOURS.index(here) - COLOURS.index(there)
                expected["worse" if steps > 0 else "better" if steps < 0 else "same"] += 1
    assert found == expected
    assert ratings.flows(now)["projects"].sum() == sum(expected.values())
    assert set(now["project_id"]) == set(plain[period])


@pytest.mark.parametrize(
    ("pair", "stayed", "joined", "left"),
    list(zip(PAIRS, (85, 159, 206, 191, 198), (99, 76, 38, 36, 15), (40, 25, 29, 53, 29), strict=True)),
)
def test_membership_between_neighbours(
    whole: Histories, plain: Plain, pair: tuple[str, str], stayed: int, joined: int, left: int
) -> None:
    """Common, new and left between neighbours are those of the files, ids without regard to case."""
    found = membership(whole["projects"], portfolio_id=WHOLE, period=pair[1], since=pair[0])["movement"].value_counts()
    assert found.to_dict() == {"stayed": stayed, "joined": joined, "left": left}
    then, now = (set(plain[period]) for period in pair)
    assert (stayed, joined, left) == (len(then & now), len(now - then), len(then - now))


def test_nineteen_projects_changed_department(departments: Histories) -> None:
    """In 2022/23 19 projects moved to another department, and each is seen from both sides."""
    moves = pd.concat(
        membership(departments["projects"], portfolio_id=department, period="2023-03", since="2022-03").assign(
            of=department
        )
        for department in sorted(set(departments["projects"]["portfolio_id"]))
    )
    came, went = (
        moves[moves["movement"] == movement].set_index("project_id") for movement in ("moved in", "moved out")
    )
    assert len(came) == len(went) == 19
    assert came["other_portfolio_id"].to_dict() == went["of"].to_dict()


def test_approved_end_dates_moved_later(whole: Histories, departments: Histories, plain: Plain) -> None:
    """From March 2024 to 2025 the approved end moved later in 53 of 139, by a median of 366 days."""
    last = Between(WHOLE, "2025-03", "2024-03")
    days = moved(whole, between=last)["moved_days"].dropna().astype(int)
    later = days[days > 0]
    assert (len(later), len(days), later.median()) == (53, 139, 366)
    counted = [
        (here - there).days
        for key, record in plain["2025-03"].items()
        if (here := end(record)) and (there := end(plain["2024-03"].get(key, {})))
    ]
    assert sorted(days) == sorted(counted)
    assert statistics.median(d for d in counted if d > 0) == 366
    by_department = [
        moved(departments, between=Between(department, "2025-03", "2024-03"))["moved_days"].dropna()
        for department in sorted(set(departments["projects"]["portfolio_id"]))
    ]
    assert sorted(pd.concat(by_department).astype(int)) == sorted(counted)


def test_every_movement_that_is_null_says_why(whole: Histories, plain: Plain) -> None:
    """All 74 projects of March 2025 whose end cannot be compared carry a reason, and who joined says that."""
    found = moved(whole, between=Between(WHOLE, "2025-03", "2024-03"))
    unknown = found[found["moved_days"].isna()]
    assert (len(found), len(unknown)) == (213, 74)
    assert unknown["reason"].ne("").all()
    joined = {key for key, record in plain["2025-03"].items() if key not in plain["2024-03"] and end(record)}
    assert set(unknown.loc[unknown["reason"].str.startswith("joined"), "project_id"]) == joined


def test_promises_between_neighbours(whole: Histories, plain: Plain) -> None:
    """Approved ends that came due: who is still here with a later date, with the same one, or left, counted by hand."""
    status = whole["status"]
    milestones = pd.DataFrame(
        columns=["period", "portfolio_id", "project_id", "milestone_id", "name", "forecast_on", "actual_on"]
    )
    judged = schedule.promises(
        whole["projects"],
        milestones=milestones.astype({"forecast_on": "datetime64[us]", "actual_on": "datetime64[us]"}),
        status=status,
        column="finish_baseline_on",
        between=Between(WHOLE, "2025-03"),
    )
    expected: Counter[tuple[str, str]] = Counter()
    for since, period in PAIRS:
        for key, record in plain[since].items():
            promised, today = end(record), FILES[period][2]
            if promised and FILES[since][2] < promised <= today:
                expected[period, _outcome(plain[period].get(key), promised=promised, today=today)] += 1
    assert Counter(zip(judged["period"], judged["outcome"], strict=True)) == expected
    assert sum(schedule.kept(judged)["promises"]) == sum(expected.values()) > 100


def _outcome(record: dict[str, str] | None, *, promised: date, today: date) -> str:
    if record is None:
        return "left the data"
    now = end(record)
    if now is None:
        return "no date any more"
    if now > promised:
        return "moved later"
    return "due on the day of the report" if promised == today else "passed, still open"


def test_disclosure_of_costs_fell(whole: Histories, plain: Plain) -> None:
    """A single whole-life cost was published for 90 % of the projects at first, and for 69 % in the end."""
    found = disclosure.drift(whole["states"], projects=whole["projects"], between=Between(WHOLE, "2025-03"))
    costs = found[found["column_name"] == "whole_life_cost_baseline"].set_index("period")
    single = costs["reported"] / costs["cells"]
    assert single.round(2).iloc[[0, -1]].tolist() == [0.90, 0.69]
    for period, records in plain.items():
        texts = [cell(record, "TOTAL Baseline Whole", "Whole Life Cost").strip() for record in records.values()]
        figures = sum(text.replace("£", "").replace(",", "").replace(".", "", 1).isdigit() for text in texts)
        assert costs.loc[period, "reported"] == figures
    assert costs["cells"].to_dict() == {period: len(records) for period, records in plain.items()}


def test_high_speed_two_left_and_did_not_finish(departments: Histories) -> None:
    """High Speed 2 left the data between 2019 and 2021 by splitting: the page says left, never finished."""
    found = membership(departments["projects"], portfolio_id="DFT", period="2021-03", since="2019-09")
    assert found.set_index("project_id").loc["DFT_0004_1112-Q1", "movement"] == "left"
