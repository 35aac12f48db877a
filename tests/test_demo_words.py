"""Words against cells: the false sentences that managers of the made organisation write are found, and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from planted import histories, opened

from pmo_lib.demo import Size, planted_untruths
from pmo_lib.demo.untruths import AMOUNT, COLOUR, DAY, UNCHANGED
from pmo_lib.metrics import claims
from pmo_lib.metrics.movement import Between
from pmo_lib.parameters.load import load_organisation

ROOT = Path(__file__).resolve().parents[1]
ALL = "ALL"  # the portfolios read as one
SMALL, YEAR = Size(periods=3), Size(periods=12)
KINDS = {"money": AMOUNT, "date": DAY, "rating": COLOUR, "unchanged": UNCHANGED}
PLACE = ["period", "project_id", "words"]


def disagreeing(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the claims that disagree, report by report, all portfolios at once."""
    merged = {name: rows.assign(portfolio_id=ALL) for name, rows in tables.items()}
    periods = sorted(merged["projects"]["period"].unique())
    found = []
    for since, period in pairwise([None, *periods]):
        two = {
            name: rows[rows["return_month" if name == "finance" else "period"].isin([since, period])]
            for name, rows in merged.items()
        }
        held = claims.claims(two, settings=load_organisation(ROOT, org="demo"), between=Between(ALL, period, since))
        found.append(held[held["verdict"].eq(claims.DISAGREES)].assign(period=period))
    table = pd.concat(found, ignore_index=True).rename(columns={"sentence": "words"})
    return table.assign(kind=table["kind"].map(KINDS))


def compared(key: pd.DataFrame, *, found: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return planted, found, missed and false alarms by kind, and the sentences that are missed or falsely accused."""
    both = key.merge(found[[*PLACE, "kind", "stands"]], how="outer", on=[*PLACE, "kind"], indicator=True)
    counts = pd.crosstab(both["kind"], both["_merge"].astype("str"))
    counts = counts.reindex(columns=["both", "left_only", "right_only"], fill_value=0)
    table = counts.set_axis(["found", "missed", "false alarms"], axis="columns")
    table.insert(0, "planted", table["found"] + table["missed"])
    sys.stdout.write(f"\n{table.to_string()}\n")
    return table, both.loc[both["_merge"].ne("both"), [*PLACE, "kind", "stands", "_merge"]]


@pytest.fixture(scope="module")
def small() -> dict[str, pd.DataFrame]:
    """Three months of all portfolios, from clean returns."""
    return histories(SMALL, names=claims.NEEDED)


def test_every_false_sentence_is_found_and_no_true_one_accused(small: dict[str, pd.DataFrame]) -> None:
    """Three months of all portfolios: planted = found by kind, project, month and words; no other words disagree."""
    key = planted_untruths(SMALL)
    table, differ = compared(key, found=disagreeing(small))
    assert len(key) >= 15
    assert set(table.index) == set(KINDS.values())
    assert differ.empty, differ.to_string()


def test_false_sentences_are_few_and_stand_in_the_commentaries(small: dict[str, pd.DataFrame]) -> None:
    """One commentary in twenty or fewer is false; each planted sentence ends the commentary of its manager."""
    key, texts = planted_untruths(SMALL), small["status"]
    own = texts[texts["assessor_role"].eq("PM")].set_index(["period", "project_id"])["narrative"]
    assert 0.02 <= len(key) / len(own) <= 0.06
    assert all(own[row.period, row.project_id].endswith(" " + row.words) for row in key.itertuples())


def test_another_size_plants_the_same_sentences() -> None:
    """Fewer portfolios or earlier months move no false sentence of the others."""
    few = planted_untruths(Size(periods=2, portfolios=4))
    more = planted_untruths(Size(periods=4, portfolios=6))
    kept = more[more["period"].isin(few["period"]) & more["portfolio_id"].isin(few["portfolio_id"])]
    pd.testing.assert_frame_equal(kept.reset_index(drop=True), few)


@pytest.mark.slow
def test_a_year_of_false_sentences_is_found_in_what_was_read_from_workbooks() -> None:
    """Twelve months through the real intake, where PMO_DEMO names what ``make demo`` wrote: none missed or accused.

    What cannot be found is a sentence whose cell, or whose return, intake did not take.
    """
    made = os.environ.get("PMO_DEMO")
    tables = opened(Path(made), names=claims.NEEDED) if made else histories(YEAR, names=claims.NEEDED)
    key = planted_untruths(YEAR)
    recent = {
        name: rows[rows["return_month" if name == "finance" else "period"].ge(key["period"].min())]
        for name, rows in tables.items()
    }
    _, differ = compared(key, found=disagreeing(recent))
    status = recent["status"].dropna(subset=["narrative", "rating"])
    taken = set(zip(status["period"], status["project_id"], strict=True))
    there = [pair in taken for pair in zip(differ["period"], differ["project_id"], strict=True)]
    lost = differ["_merge"].eq("left_only") & ~pd.Series(there, index=differ.index, dtype="bool")
    assert len(key) >= 60
    assert differ[~lost].empty, differ.to_string()
    assert lost.sum() <= 0.1 * len(key), differ.to_string()
