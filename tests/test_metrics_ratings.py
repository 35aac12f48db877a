"""Ratings: same rater, same scale, or not comparable; nobody is lost, and nothing null is green."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from histories import history
from hypothesis import given, settings, strategies as st

from pmo_lib.metrics import ratings
from pmo_lib.metrics.movement import Between

NOW, THEN, FIRST = "2025-03", "2024-03", "2023-03"
LAST = Between("ROADS", NOW, THEN)
SCALES = {"three-point": ("green", "amber", "red"), "five-point": ("green", "amber/green", "amber", "amber/red", "red")}
WITHHELD = {"state": "withheld", "reason": "Section 43"}


def said(*rows: tuple[str, str, str | None, str], **more: Any) -> list[dict[str, Any]]:
    """Return status rows from (project, period, rating, rater)."""
    names = ("project_id", "period", "rating", "assessor_role")
    return [dict(zip(names, row, strict=True)) | more for row in rows]


def known(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the projects that status rows speak of."""
    keys = {(row["period"], row["project_id"], row.get("portfolio_id", "ROADS")) for row in rows}
    return [dict(zip(("period", "project_id", "portfolio_id"), key, strict=True)) for key in sorted(keys)]


def rated(
    rows: list[dict[str, Any]],
    *,
    projects: list[dict[str, Any]] | None = None,
    states: list[dict[str, Any]] | None = None,
    between: Between = LAST,
) -> pd.DataFrame:
    """Return the ratings of status rows."""
    return ratings.ratings(
        history("status", rows),
        projects=history("projects", known(rows) if projects is None else projects),
        states=history("states", states or []),
        between=between,
    )


def state_of(row: dict[str, Any], **state: str) -> dict[str, Any]:
    """Return the state of the rating cell of a status row."""
    day = f"{row['period']}-31"
    key = f"{row['project_id']}|{day}|{row['assessor_role']}"
    return {"period": row["period"], "table_name": "status", "row_key": key, "column_name": "rating"} | state


@pytest.mark.parametrize(
    ("scale", "was", "now", "movement", "steps"),
    [
        ("three-point", "green", "red", "worse", 2),
        ("three-point", "red", "amber", "better", -1),
        ("three-point", "amber", "amber", "same", 0),
        ("five-point", "green", "red", "worse", 4),
        ("five-point", "amber/red", "amber/green", "better", -2),
    ],
)
def test_a_movement_counts_steps_on_its_scale(scale: str, was: str, now: str, movement: str, steps: int) -> None:
    """Steps are counted on the scale of the row; towards red is worse and positive."""
    found = rated(said(("A", THEN, was, "SRO"), ("A", NOW, now, "SRO"), rating_scale=scale))
    assert found[["movement", "steps", "note"]].to_numpy().tolist() == [[movement, steps, ""]]


def test_another_rater_is_no_movement() -> None:
    """A rating by another rater than before is not comparable, and says who rated before and how."""
    found = rated(said(("A", THEN, "green", "IPA"), ("A", NOW, "red", "SRO"))).iloc[0]
    assert (found["movement"], found["note"]) == ("not comparable", "another rater before: IPA (green)")
    assert pd.isna(found["rating_before"])
    assert pd.isna(found["steps"])


def test_another_scale_is_no_movement() -> None:
    """A rating on another scale than before is not comparable, even if the word is the same."""
    rows = said(("A", THEN, "amber", "IPA"), rating_scale="five-point") + said(("A", NOW, "amber", "IPA"))
    found = rated(rows).iloc[0]
    assert (found["movement"], found["note"]) == ("not comparable", "scale changed from five-point to three-point")
    assert found["rating_before"] == "amber"


def test_a_rating_off_its_scale_is_no_movement() -> None:
    """A rating that its scale does not have cannot be placed on it."""
    found = rated(said(("A", THEN, "amber/red", "IPA"), ("A", NOW, "red", "IPA"))).iloc[0]
    assert (found["movement"], found["note"]) == (
        "not comparable",
        "a rating that the three-point scale does not have",
    )


def test_a_withheld_rating_keeps_its_reason() -> None:
    """A withheld rating stays in the list, null, with the source's reason: it is neither missing nor green."""
    rows = said(("A", THEN, "green", "SRO"), ("A", NOW, None, "SRO"))
    found = rated(rows, states=[state_of(rows[1], **WITHHELD)]).iloc[0]
    assert pd.isna(found["rating"])
    assert found["rating_reason"] == "withheld: Section 43"
    assert (found["movement"], found["rating_before"]) == ("not comparable", "green")
    assert found["note"] == "now withheld: Section 43"


def test_what_was_withheld_before_has_no_movement() -> None:
    """A rating after a withheld one has nothing to move from."""
    rows = said(("A", THEN, None, "SRO"), ("A", NOW, "red", "SRO"))
    found = rated(rows, states=[state_of(rows[0], **WITHHELD)]).iloc[0]
    assert (found["movement"], found["note"]) == ("not comparable", "before: withheld: Section 43")


def test_a_rater_with_an_empty_cell_did_not_speak() -> None:
    """Where one rater rated, the other's empty cell is no row; where nobody did, each empty cell is one."""
    rows = said(("A", NOW, "red", "SRO"), ("A", NOW, None, "IPA"), ("B", NOW, None, "SRO"), ("B", NOW, None, "IPA"))
    found = rated(rows)
    assert found[["project_id", "assessor_role"]].to_numpy().tolist() == [["A", "SRO"], ["B", "IPA"], ["B", "SRO"]]
    assert found["rating_reason"].tolist() == ["", "not set", "not set"]


def test_a_project_without_a_status_is_not_lost() -> None:
    """A project that nobody returned a status for is listed, with that as its reason."""
    found = rated([], projects=[{"period": NOW, "project_id": "A"}])
    assert found[["project_id", "rating_reason"]].to_numpy().tolist() == [["A", "no status returned"]]
    assert found["rating"].isna().all()


def test_a_project_that_joined_is_new() -> None:
    """A project that no portfolio had before is new; one that nobody rated before is not."""
    rows = said(("A", NOW, "red", "SRO"), ("B", NOW, "red", "SRO"))
    found = rated(rows, projects=[*known(rows), {"period": THEN, "project_id": "B"}])
    assert found.set_index("project_id")["movement"].to_dict() == {"A": "new", "B": "not comparable"}


def test_a_project_that_moved_is_compared_with_itself() -> None:
    """A project keeps its rating history when it changes portfolio."""
    rows = said(("A", THEN, "green", "SRO"), portfolio_id="RAIL") + said(("A", NOW, "amber", "SRO"))
    assert rated(rows)["movement"].tolist() == ["worse"]


def test_the_first_report_is_all_new() -> None:
    """Without an earlier report every rating stands, and none moved."""
    found = rated(said(("A", NOW, "red", "SRO")), between=Between("ROADS", NOW))
    assert found["movement"].tolist() == ["new"]
    assert found["since"].isna().all()


def test_the_last_status_of_a_period_counts() -> None:
    """Where a period holds two status dates of a project and rater, the later one is its rating."""
    early = said(("A", NOW, "green", "SRO"), status_date="2025-03-01")
    assert rated(early + said(("A", NOW, "red", "SRO")))["rating"].tolist() == ["red"]


def test_the_worst_stand_first() -> None:
    """Projects come by the worst rating that anyone gave them; a project's raters stay together, the unrated last."""
    rows = said(
        ("A", NOW, "green", "SRO"), ("B", NOW, "green", "IPA"), ("B", NOW, "red", "SRO"), ("C", NOW, None, "SRO"),
        ("D", NOW, "amber", "IPA"),
    )  # fmt: skip
    assert rated(rows)["project_id"].tolist() == ["B", "B", "D", "A", "C"]


def test_last_year_is_compared_once() -> None:
    """Last report and last year are two comparisons; where they are the same report, it is made once."""
    rows = said(("A", FIRST, "red", "SRO"), ("A", THEN, "red", "SRO"), ("A", NOW, "amber", "SRO"))
    tables = {
        "projects": history("projects", known(rows)),
        "states": history("states", []),
        "between": LAST,
    }
    status = history("status", rows)
    assert ratings.comparisons(status, year_ago=THEN, **tables)["since"].tolist() == [THEN]
    assert ratings.comparisons(status, year_ago=FIRST, **tables)["since"].tolist() == [THEN, FIRST]
    assert ratings.comparisons(status, year_ago=None, **tables)["since"].tolist() == [THEN]


def test_no_report_to_compare_gives_an_empty_table() -> None:
    """Without any earlier report the comparisons are empty, and so is all that is made of them."""
    compared = ratings.comparisons(
        history("status", said(("A", NOW, "red", "SRO"))),
        projects=history("projects", [{"period": NOW, "project_id": "A"}]),
        states=history("states", []),
        between=Between("ROADS", NOW),
        year_ago=None,
    )
    assert list(compared.columns) == list(ratings.RATING_COLUMNS)
    assert [len(made(compared)) for made in (ratings.movers, ratings.flows, ratings.incomparable)] == [0, 0, 0]


def test_counts_by_period_rater_and_scale() -> None:
    """Shares are of the ratings by one rater on one scale in one period; what is withheld has no share."""
    rows = said(
        ("A", NOW, "green", "SRO"), ("B", NOW, "red", "SRO"), ("C", NOW, "red", "SRO"), ("D", NOW, None, "SRO"),
        ("E", NOW, None, "SRO"), ("A", NOW, "amber", "IPA"),
    )  # fmt: skip
    states = history("states", [state_of(rows[3], **WITHHELD)])
    found = ratings.counts(history("status", rows), states=states, between=LAST)
    told = found[["assessor_role", "rating", "projects", "rated"]].to_numpy().tolist()
    assert told == [
        ["IPA", "amber", 1, 1],
        ["SRO", "green", 1, 3],
        ["SRO", "red", 2, 3],
        ["SRO", "withheld", 1, 3],
        ["SRO", "not rated", 1, 3],
    ]
    assert found["share"].tolist()[:3] == [1.0, pytest.approx(1 / 3), pytest.approx(2 / 3)]
    assert found["share"].isna().tolist() == [False, False, False, True, True]


def test_counts_end_with_the_report() -> None:
    """A report does not know later periods, nor other portfolios."""
    rows = said(("A", NOW, "red", "SRO"), ("A", THEN, "red", "SRO"))
    rows += said(("B", THEN, "red", "SRO"), portfolio_id="RAIL")
    found = ratings.counts(history("status", rows), states=history("states", []), between=Between("ROADS", THEN))
    assert found[["period", "projects"]].to_numpy().tolist() == [[THEN, 1]]


@st.composite
def judgements(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return status rows of up to five projects in two periods by two raters, on either scale, some silent."""
    rows = []
    for project in draw(st.sets(st.sampled_from("ABCDE"))):
        for period in (THEN, NOW):
            for role in draw(st.sets(st.sampled_from(["IPA", "SRO"]))):
                scale = draw(st.sampled_from(sorted(SCALES)))
                rating = draw(st.one_of(st.none(), st.sampled_from(SCALES[scale])))
                rows += said((project, period, rating, role), rating_scale=scale)
    return sorted(rows, key=lambda row: (row["project_id"], row["period"], row["assessor_role"]))


def test_transitions_of_a_hand_made_portfolio() -> None:
    """The matrix holds each comparable pair once, and every cell of the scale, also the empty ones."""
    rows = said(
        ("A", THEN, "green", "SRO"), ("A", NOW, "red", "SRO"), ("B", THEN, "red", "SRO"), ("B", NOW, "red", "SRO")
    )
    cells = ratings.flows(rated(rows)).set_index(["rating_before", "rating"])["projects"]
    assert len(cells) == 9
    assert cells[cells > 0].to_dict() == {("green", "red"): 1, ("red", "red"): 1}


@settings(max_examples=10)
@given(judgements())
def test_transitions_add_up_to_the_comparable(rows: list[dict[str, Any]]) -> None:
    """Σ of the matrix = the ratings by the same rater on the same scale in both reports, counted from the rows."""
    then = {(row["project_id"], row["assessor_role"]): row for row in rows if row["period"] == THEN and row["rating"]}
    alike = [
        row["rating_scale"] == then[key]["rating_scale"]
        for row in rows
        if row["period"] == NOW and row["rating"] and (key := (row["project_id"], row["assessor_role"])) in then
    ]
    assert ratings.flows(rated(rows))["projects"].sum() == sum(alike)


@settings(max_examples=10)
@given(judgements())
def test_movements_are_antisymmetric(rows: list[dict[str, Any]]) -> None:
    """Seen backwards each step is the same with the other sign, and nothing else becomes comparable."""
    keys = ["project_id", "assessor_role"]
    forth = rated(rows).set_index(keys)["steps"].dropna()
    back = rated(rows, between=LAST.reverse()).set_index(keys)["steps"].dropna()
    assert (-forth).to_dict() == back.to_dict()


@settings(max_examples=10)
@given(judgements(), st.sampled_from(["ROADS", "RAIL"]), st.sampled_from(SCALES["three-point"]))
def test_an_unrelated_project_changes_no_other_rating(rows: list[dict[str, Any]], where: str, rating: str) -> None:
    """One more project adds at most its own row."""
    more = said(("Z", THEN, "red", "SRO"), ("Z", NOW, rating, "SRO"), portfolio_id=where)
    together = rated(rows + more)
    alone = rated(rows)
    assert (
        together[together["project_id"] != "Z"].astype(str).to_numpy().tolist() == alone.astype(str).to_numpy().tolist()
    )


@settings(max_examples=10)
@given(judgements())
def test_every_project_is_listed_and_every_null_has_words(rows: list[dict[str, Any]]) -> None:
    """The list holds exactly the projects of the period, and a reason wherever there is no rating."""
    found = rated(rows)
    assert set(found["project_id"]) == {row["project_id"] for row in rows if row["period"] == NOW}
    assert found.loc[found["rating"].isna(), "rating_reason"].ne("").all()
    assert found.loc[found["movement"].isin(["new", "not comparable"]), "note"].ne("").all()


@settings(max_examples=10)
@given(judgements())
def test_counts_add_up_to_what_was_said(rows: list[dict[str, Any]]) -> None:
    """In every period, by rater and scale, the rated add up, and their shares to one."""
    found = ratings.counts(history("status", rows), states=history("states", []), between=LAST)
    assert found.loc[found["share"].notna(), "projects"].sum() == sum(row["rating"] is not None for row in rows)
    sums = found.groupby(["period", "assessor_role", "rating_scale"])["share"].sum(min_count=1).dropna()
    assert sums.tolist() == pytest.approx([1.0] * len(sums))
