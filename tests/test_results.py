"""Results: named figures out of a notebook and back, with nothing lost, doubled or made up."""

from __future__ import annotations

import json
import math
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from pmo_lib.errors import ReportError
from pmo_lib.results import collect, from_notebook, glue, owed_reports, parse, plain, published, read_failures
from pmo_lib.snapshots import canonical_json
from pmo_lib.store import digest_of

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = {
    "organisation": "demo", "period": "2026-09", "as_of": "2026-09", "portfolio": "HWY", "report": "health_check",
    "snapshot": "s1",
}  # fmt: skip
FIGURES = pd.DataFrame(
    [("projects", 12.0, "projects", None), ("slip", math.nan, "days", "no baseline")],
    columns=["name", "value", "unit", "reason"],
)
RATINGS = pd.DataFrame(
    {"project_id": ["A", "B"], "rating": ["red", None], "rated_on": pd.to_datetime(["2026-09-30", None])}
)


def glued(*, figures: pd.DataFrame = FIGURES, tables: dict[str, pd.DataFrame] | None = None, times: int = 1) -> Any:
    """Return a notebook whose cell glued these results."""
    InteractiveShell.instance()
    with capture_output() as captured:
        for _ in range(times):
            glue(IDENTITY, figures=figures, tables={"ratings": RATINGS} if tables is None else tables)
    outputs = [nbformat.v4.new_output("display_data", data=o.data, metadata=o.metadata) for o in captured.outputs]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("book.publish()", outputs=outputs)])


def test_results_come_back_as_they_went_in() -> None:
    """Figures, nulls with their reasons, tables and dates come back through scrapbook as they were published."""
    results = parse(from_notebook(glued()))
    assert results.identity == IDENTITY
    assert results.figures.set_index("name")["value"].to_dict()["projects"] == 12.0
    slip = results.figures.set_index("name").loc["slip"]
    assert math.isnan(slip["value"])
    assert slip["reason"] == "no baseline"
    pd.testing.assert_series_equal(results.tables["ratings"]["rated_on"], RATINGS["rated_on"].astype("datetime64[us]"))
    assert results.tables["ratings"]["rating"].isna().tolist() == [False, True]


def test_document_is_json_without_nan() -> None:
    """The published document is JSON that every reader accepts: null, never NaN."""
    text = canonical_json(from_notebook(glued())).decode()
    assert json.loads(text)["figures"][1]["value"] is None
    assert "NaN" not in text


def test_publishing_twice_is_refused() -> None:
    """A notebook that publishes a name twice, or nothing at all, is refused."""
    with pytest.raises(ReportError, match="published twice"):
        from_notebook(glued(times=2))
    with pytest.raises(ReportError, match="published nothing"):
        from_notebook(nbformat.v4.new_notebook())


def test_null_needs_a_reason() -> None:
    """A figure without a value must say why; a name may stand once only."""
    with pytest.raises(ReportError, match="without value or reason: slip"):
        glued(figures=FIGURES.assign(reason=None))
    with pytest.raises(ReportError, match="figures published twice: projects"):
        glued(figures=FIGURES.assign(name="projects"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None), (math.nan, None), (pd.NaT, None), (pd.NA, None), (np.int64(3), 3), (np.bool_(True), True),
        (True, True), (Decimal("1.25"), 1.25), (date(2026, 9, 30), "2026-09-30"), ("nan", "nan"),
        (pd.Timestamp("2026-09-30"), "2026-09-30"),
        (1234567.891, 1234567.89), (0.123456789, 0.123457), (-0.0, 0.0),
    ],
)  # fmt: skip
def test_values_become_plain(value: Any, expected: Any) -> None:
    """Every value that scrapbook would refuse or change becomes plain JSON, rounded by the stated rule."""
    result = plain(value, where="x")
    assert result == expected
    assert type(result) is type(expected)
    assert not isinstance(result, float) or math.copysign(1, result) == math.copysign(1, expected)


@pytest.mark.parametrize("value", [math.inf, object(), [1]])
def test_what_has_no_plain_form_is_refused(value: Any) -> None:
    """Infinity and objects are never published; the error names where they stood."""
    with pytest.raises(ReportError, match="figure x"):
        plain(value, where="figure x")


@given(value=st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_rounding_is_stable(value: float) -> None:
    """Rounding what is rounded changes nothing, so that a re-published figure is the same figure."""
    once = plain(value, where="x")
    assert plain(once, where="x") == once
    assert abs(once - value) <= (0.005 + abs(value) * 1e-15 if abs(value) >= 1e6 else 5.1e-7)


def write(folder: Path, *, portfolio: str, snapshot: str, page: bytes = b"<html>", digest: str | None = None) -> None:
    """Write a page and its results as the runner does."""
    place = folder / "2026-09" / portfolio
    place.mkdir(parents=True)
    (place / "health_check.html").write_bytes(page)
    document = from_notebook(glued()) | {
        "portfolio": portfolio,
        "as_of": "2026-09",
        "snapshot": snapshot,
        "page_sha256": digest or digest_of(page),
    }
    (place / "health_check.json").write_bytes(canonical_json(document))


def test_stale_results_are_left_out(tmp_path: Path) -> None:
    """Only results of the snapshot that counts, beside the very page that they were published with, are read."""
    write(tmp_path, portfolio="A", snapshot="s1")
    write(tmp_path, portfolio="B", snapshot="older")
    write(tmp_path, portfolio="C", snapshot="s1", digest="0" * 64)
    found = published(tmp_path, snapshots={"2026-09": "s1"})
    assert [result.identity["portfolio"] for result in found] == ["A"]


def test_collect_keeps_portfolios_apart(tmp_path: Path) -> None:
    """A table of several portfolios carries each one's id; the same key twice is an error, never an overwrite."""
    write(tmp_path, portfolio="A", snapshot="s1")
    write(tmp_path, portfolio="B", snapshot="s1")
    found = published(tmp_path, snapshots={"2026-09": "s1"})
    whole = collect(found, table="ratings")
    assert whole.groupby("portfolio_id")["project_id"].apply(list).to_dict() == {"A": ["A", "B"], "B": ["A", "B"]}
    assert collect(found, table="nothing").empty
    with pytest.raises(ReportError, match="twice"):
        collect([*found, *found], table="ratings")


def test_everything_owed_is_listed() -> None:
    """Each portfolio owes each report; failed beats published, and what was not returned says so."""
    returns = pd.DataFrame(
        [
            ("A", "returned", None, "2026-09"),
            ("B", "refused", "key twice", "2026-08"),
            ("C", "not returned", "no file", ""),
            ("D", "partial", None, "2026-09"),
            ("E", "partial", "no usable row in projects", "2026-08"),
        ],
        columns=["portfolio_id", "state", "reason", "known"],
    ).assign(period="2026-09")
    owed = owed_reports(
        reports=["health_check"],
        returns=returns,
        done={("A", "health_check"): "2026-09", ("B", "health_check"): "2026-08", ("D", "health_check"): "2026-09"},
        failures=[{"portfolio_id": "D", "report": "health_check", "stage": "gate", "cause": "no chart"}],
    )
    assert owed["status"].tolist() == ["published", "refused", "not returned", "failed", "not returned"]
    assert owed["cause"].tolist()[1:] == ["key twice", "no file", "no chart", "no usable row in projects"]
    assert owed["as_of"].fillna("none").tolist() == ["2026-09", "2026-08", "none", "none", "none"]


def test_failures_are_read_from_the_state(tmp_path: Path) -> None:
    """Only what failed counts as a failure; without a state file there is none."""
    assert read_failures(tmp_path) == []
    rows = [{"portfolio_id": "A", "report": "r", "status": s} for s in ("failed", "published", "missing")]
    (tmp_path / "state.json").write_text(json.dumps({"reports": rows}))
    assert read_failures(tmp_path) == rows[:1]
