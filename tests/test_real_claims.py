"""Words against cells on six years of real portfolios: what was judged by eye is told as it was judged."""

from __future__ import annotations

import csv
import io
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from test_real_health import FILES, WHOLE

from pmo_lib.contracts.tables import TABLES
from pmo_lib.intake.check import check
from pmo_lib.metrics import claims
from pmo_lib.metrics.movement import Between
from pmo_lib.parameters.load import load_mapping, load_organisation

pytestmark = [pytest.mark.real, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[1]
# Read by eye in the files: report, project, kind, what the words claim, what the cell says, what the words say.
TRUE = (
    ("2021-03", "DFT_0022_1415-Q4", "money", "£5692.07m", "£6,052.20m", "Cost increased from £5692.07m"),
    ("2022-03", "MOD_0121_2021-Q4", "money", "860.61", "£976.26m", "Cost decreased from 860.61 (£m) to 654.53 (£m)"),
    ("2022-03", "DFT_0022_1415-Q4", "share", "at most 5%", "−48.9%", "is less than 5% due to the in-year spend"),
    ("2023-03", "MOJ_0051_2021-Q2", "rating", "Amber", "green", "Delivery Confidence Assessment rating remained Amber"),
    ("2023-03", "MOJ_0051_2021-Q2", "unchanged", "unchanged", "green", "Assessment rating remained Amber"),
    ("2024-03", "HO_0042_2021-Q3", "share", "at most 5%", "40.5%", "budget variance is inferior or equal to 5%"),
    ("2024-03", "MOD_0121_2021-Q4", "unchanged", "unchanged", "31 Mar 2032", "scheduled to finish on 2032-03-31"),
    ("2024-03", "MOD_0136_2122-Q1", "date", "2029-03-22", "22 May 2029", "increased from 2029-03-22 to 2029-09-25"),
    ("2024-03", "MOD_0136_2122-Q1", "date", "2029-09-25", "22 Mar 2030", "increased from 2029-03-22 to 2029-09-25"),
    ("2025-03", "DESNZ_0375_2425-Q1", "money", "487", "£794.40m", "Cost at 24/25-Q4 (measured in £m) is 487"),
    ("2025-03", "DEFRA_0040_2122-Q3", "money", "41000000000", "£4,100.00m", "increased from 11611 to 41000000000"),
    ("2025-03", "BEIS_0014_2021-Q4", "date", "31/03/2030", "1 Oct 2028", "at 24/25-Q4 remained at 31/03/2030"),
    ("2025-03", "BEIS_0014_2021-Q4", "unchanged", "unchanged", "1 Oct 2028", "remained at 31/03/2030"),
    ("2025-03", "BEIS_0014_2021-Q4", "money", "2226", "£2,206.00m", "decreased from 4558 to 2226"),
)  # fmt: skip
# Told false once, and true by eye: what the words say is not what the cell holds.
NOT_FALSE = (("DECC_0010", None), ("HO_0042", "2023-03"))


@pytest.fixture(scope="module")
def held(real_data: Path) -> pd.DataFrame:
    """Return every claim of all six reports, all departments read as one portfolio."""
    organisation = load_organisation(ROOT, org="uk_gmpp")
    found = check(
        [real_data / "uk_gmpp"],
        organisation=organisation,
        mapping=load_mapping(ROOT, org="uk_gmpp", name="uk_gmpp"),
    )
    tables = {
        name: pd.concat([dated(each.tables[name], name=name, period=each.period) for each in found], ignore_index=True)
        for name in claims.NEEDED
    }
    parts = []
    for since, period in pairwise([None, *FILES]):
        two = {
            name: rows[rows["return_month" if name == "finance" else "period"].isin([since, period])]
            for name, rows in tables.items()
        }
        own = claims.claims(two, settings=organisation, between=Between(WHOLE, period, since))
        parts.append(own.assign(period=period))
    return pd.concat(parts, ignore_index=True)


def dated(rows: pd.DataFrame, *, name: str, period: str) -> pd.DataFrame:
    """Return rows of a return as a report opens them: with its period in front, and money as float."""
    money = [column.name for column in TABLES[name].columns if column.kind == "money"]
    own = rows.astype(dict.fromkeys(money, "float64")).assign(portfolio_id=WHOLE)
    own.insert(0, "return_month" if "period" in rows.columns else "period", period)
    return own


def words_of(real_data: Path, *, period: str, project: str) -> str:
    """Return all cells of a project in a file, read with the csv module alone."""
    name, encoding, _ = FILES[period]
    text = (real_data / "uk_gmpp" / name).read_bytes().decode(encoding)
    rows = next(row for row in csv.reader(io.StringIO(text, newline="")) if project in row)
    return " ".join(" ".join(rows).split())


@pytest.mark.parametrize(("period", "project", "kind", "claimed", "stands", "words"), TRUE)
def test_what_is_false_by_eye_disagrees(
    held: pd.DataFrame, real_data: Path, period: str, project: str, kind: str, claimed: str, stands: str, words: str
) -> None:
    """The file has the words, and the claim in them disagrees with the cell that was read by eye."""
    assert words in words_of(real_data, period=period, project=project)
    own = held[held["period"].eq(period) & held["project_id"].eq(project) & held["verdict"].eq("disagrees")]
    found = own[own["kind"].eq(kind) & own["claimed"].eq(claimed) & own["sentence"].str.contains(words, regex=False)]
    assert stands in set(found["stands"]) | set(found["stood"])


def test_what_is_true_by_eye_is_not_accused(held: pd.DataFrame) -> None:
    """Two false alarms of an earlier reading stay away: amounts of something else than the cell holds."""
    for project, period in NOT_FALSE:
        own = held[held["project_id"].str.startswith(project) & (held["period"].eq(period) if period else True)]
        assert len(own) >= 3
        assert own[own["verdict"].eq("disagrees")].empty, own[own["verdict"].eq("disagrees")]["sentence"].tolist()


def test_nearly_all_claims_can_be_told_and_agree(held: pd.DataFrame) -> None:
    """Over six reports: thousands of claims, at least four fifths told, and of these 1 to 3 % disagree."""
    counts = held["verdict"].value_counts()
    told = counts["agrees"] + counts["disagrees"]
    assert len(held) >= 6_000
    assert told / len(held) >= 0.8
    assert 0.01 <= counts["disagrees"] / told <= 0.03
    assert held.loc[held["verdict"].eq("cannot be told"), "reason"].ne("").all()
