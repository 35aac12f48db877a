"""Intake at full depth: a thousand seeded errors, each found once, at its cell, by its rule; none in sound files."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pandas as pd
from errors import KINDS, PLACES, Sower, sound_books, write_books

from pmo_lib.errors import SnapshotRefused
from pmo_lib.intake.check import check
from pmo_lib.parameters.models import Organisation, Thresholds

# Hundreds of errors are put into every workbook: too many unusable rows are no reason to refuse these.
PATIENT = Organisation(id="org", name="x", thresholds=Thresholds(quarantine_limit=1.0))


def found_in(paths: list[Path]) -> pd.DataFrame:
    """Return the findings of returns, refused or not."""
    try:
        (checked,) = check(paths, organisation=PATIENT, period="2026-09")
    except SnapshotRefused as error:
        findings: pd.DataFrame = error.data["findings"]
        return findings
    return checked.findings


def test_sound_files_give_no_finding(tmp_path: Path) -> None:
    """Eight sound workbooks with every table, some thousand rows, raise no alarm."""
    findings = found_in(write_books(tmp_path, books=sound_books()))
    assert findings[["file", "cell", "message"]].to_numpy().tolist() == []


def test_a_thousand_errors_are_found_where_they_stand(tmp_path: Path) -> None:
    """Every seeded error is found once, in its file, sheet and cell, by its rule; nothing else is found."""
    sower = Sower(sound_books(), random.Random(20260930))
    sower.sow()
    findings = found_in(write_books(tmp_path, books=sower.books))
    placed = findings[findings["rule"] != "table-missing"]  # with a duplicate id in each, every return is refused
    found = Counter(placed[["file", "sheet", "row", "cell", "rule"]].itertuples(index=False, name=None))
    missed = {kind: [place for place in places if not found[place]] for kind, places in sower.by_kind.items()}
    for kind, places in sower.by_kind.items():
        print(f"{kind:40} {len(places) - len(missed[kind]):3} found {len(missed[kind]):3} missed")  # noqa: T201
    assert {kind: places[:3] for kind, places in missed.items() if places} == {}
    assert sorted(set(found) - set(sower.expected)) == []
    assert set(found.values()) == {1}
    assert len(KINDS) >= 25
    assert sower.expected.total() >= 25 * PLACES
