"""The record of an edition: what was run, on which data, by which code, what was corrected, and what was checked.

``told`` is what the archive holds of a period, each list of it in the ledger's order, see
``pmo_lib.archive.edition.Edition``; here it becomes tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from pmo_lib.metrics.restated import changed_figures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUNS = ["entry", "portfolio_id", "report", "run", "data", "code", "operator", "entered_on", "marks", "signed"]
REPLACED = ["portfolio_id", "report", "run", "replaced_by", "operator", "entered_on", "reason"]
DATA = ["snapshot", "taken_on", "operator", "reason", "file", "size", "sha256", "standing"]
CODE = ["source", "commit", "changes", "lock", "python", "runs"]
OVERRIDES = ["portfolio_id", "report", "run", "setting", "value"]
CORRECTIONS = ["entry", "snapshot", "supersedes", "operator", "entered_on", "reason"]
CHANGES = [
    "portfolio_id", "report", "label", "unit", "reported", "reported_reason", "restated", "restated_reason", "run",
]  # fmt: skip
CHECKS = ["what", "found", "means"]
WHOLE = "organisation"


class Told(Protocol):
    """What the archive holds of a period."""

    entry: int
    head: str
    snapshots: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    runs: list[dict[str, Any]]
    figures: list[dict[str, Any]]
    disposals: list[dict[str, Any]]
    checked: dict[str, int]


def runs(told: Told) -> pd.DataFrame:
    """Return the runs that stand, by portfolio and report; columns :data:`RUNS`.

    ``marks`` says of a run that it is a draft (of a source tree with changes that were not committed), that it took the
    place of another, or that it took more than one attempt.
    """
    rows = [
        (run["entry"], run["portfolio"] or WHOLE, run["report"], _short(run["place"]), run["snapshot"][:12],
         run["source"][:12], run["operator"], _day(run["at"]), _marks(run), run["signed"])
        for run in told.runs if run["stands"]
    ]  # fmt: skip
    found = pd.DataFrame(rows, columns=RUNS)
    return found.sort_values(["portfolio_id", "report"], kind="stable").reset_index(drop=True)


def _marks(run: Mapping[str, Any]) -> str:
    marks = {"draft": run["draft"], "took the place of another": run["supersedes"],
             f"attempt {run['attempt']}": run["attempt"] > 1}  # fmt: skip
    return ", ".join(mark for mark, is_so in marks.items() if is_so)


def replaced(told: Told) -> pd.DataFrame:
    """Return the runs whose place another took, with the reason; columns :data:`REPLACED`."""
    rows = [
        (run["portfolio"] or WHOLE, run["report"], _short(run["supersedes"]), _short(run["place"]), run["operator"],
         _day(run["at"]), run["reason"])
        for run in told.runs if run["supersedes"]
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=REPLACED)


def data(told: Told) -> pd.DataFrame:
    """Return every returned file of every snapshot of the period; columns :data:`DATA`."""
    taken = {snapshot["id"]: snapshot for snapshot in told.snapshots}
    rows = [
        (source["snapshot"][:12], _day(taken[source["snapshot"]]["at"]), taken[source["snapshot"]]["operator"],
         taken[source["snapshot"]]["reason"], source["file"], source["size"], source["sha256"][:16], source["standing"])
        for source in told.sources
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=DATA)


def code(told: Told) -> pd.DataFrame:
    """Return by which versions of library, lock and Python runs were made, the most first; columns :data:`CODE`."""
    changes = {True: "not all committed", False: "none", None: "not known"}
    rows = [
        (run["source"][:12], (run["commit"] or "not known")[:12], changes[run["dirty"]], (run["lock"] or "none")[:12],
         run["python"])
        for run in told.runs
    ]  # fmt: skip
    counted = pd.DataFrame(rows, columns=CODE[:-1]).value_counts(sort=False).rename("runs").reset_index()
    return counted.sort_values(["runs", "source"], ascending=[False, True], kind="stable").reset_index(drop=True)


def overrides(told: Told) -> pd.DataFrame:
    """Return the settings that were given for single runs; columns :data:`OVERRIDES`."""
    rows = [
        (run["portfolio"] or WHOLE, run["report"], _short(run["place"]), name, str(value))
        for run in told.runs
        for name, value in sorted(run["overrides"].items())
    ]
    return pd.DataFrame(rows, columns=OVERRIDES)


def corrections(told: Told) -> pd.DataFrame:
    """Return the snapshots that took the place of an earlier one of the period; columns :data:`CORRECTIONS`."""
    rows = [
        (one["entry"], one["id"][:12], one["supersedes"][:12], one["operator"], _day(one["at"]), one["reason"])
        for one in told.snapshots if one["supersedes"]
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=CORRECTIONS)


def changes(told: Told) -> pd.DataFrame:
    """Return every published figure that a later run of the same report gave otherwise; columns :data:`CHANGES`."""
    parts = [
        changed_figures(_figures(one["before"]), restated=_figures(one["now"])).assign(
            portfolio_id=one["portfolio"] or WHOLE, report=one["report"], run=_short(one["run"])
        )
        for one in told.figures
    ]
    return pd.concat(parts, ignore_index=True)[CHANGES] if parts else pd.DataFrame(columns=CHANGES)


def checks(told: Told) -> pd.DataFrame:
    """Return what was checked for this record, and what that proves; columns :data:`CHECKS`.

    A record is written only if every file was found as it was entered.
    """
    counts = told.checked
    signed = sum(bool(one["signed"]) for one in (*told.snapshots, *told.runs))
    entries = len(told.snapshots) + len(told.runs)
    gone = ", ".join(f"entry {one['entry']} ({one['rule']}; approved by {one['approver']})" for one in told.disposals)
    rows = [
        ("Files", f"{counts['files']:,} files, {counts['bytes']:,} bytes",
         "each has the sha256 that was entered of it"),
        ("Ledger", f"{counts['entries']} entries, the last is {told.entry}",
         f"unbroken from its first entry to there; sha256 {told.head}"),
        ("Signatures", f"{signed} of {entries} entries signed", "pmo verify --key holds them against a public key"),
    ]  # fmt: skip
    if counts["expired"]:
        rows.append(("Expired", f"{counts['expired']:,} files", f"disposed of by {gone}"))
    return pd.DataFrame(rows, columns=CHECKS)


def figures(told: Told, *, findings: pd.DataFrame, quarantined: pd.DataFrame) -> pd.DataFrame:
    """Return the named figures of the record: ``name, value, unit, reason``."""
    stand = [run for run in told.runs if run["stands"]]
    counts = [
        ("runs_standing", len(stand), "runs"),
        ("runs_replaced", len(told.runs) - len(stand), "runs"),
        ("runs_draft", sum(bool(run["draft"]) for run in stand), "runs"),
        ("corrections", len(corrections(told)), "snapshots"),
        ("figures_changed", len(changes(told)), "figures"),
        ("findings", len(findings), "findings"),
        ("rows_quarantined", len(quarantined), "rows"),
        ("files_checked", told.checked["files"], "files"),
        ("files_expired", told.checked["expired"], "files"),
    ]
    return pd.DataFrame([(*row, None) for row in counts], columns=["name", "value", "unit", "reason"])


def _figures(published: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(published, columns=["name", "value", "unit", "reason"])


def _short(place: str) -> str:
    return place.rpartition("/")[2]


def _day(moment: str) -> pd.Timestamp:
    """Return the day (UTC) of a moment of the ledger."""
    return pd.Timestamp(moment).tz_convert("UTC").tz_localize(None).normalize()
