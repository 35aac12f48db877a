"""Sentences of the record of an edition, written by rule: same archive, same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmo_lib.theme import counted

if TYPE_CHECKING:
    import pandas as pd


def runs_sentence(runs: pd.DataFrame) -> str:
    """Say how many runs stand, and what is to be known of them."""
    drafts, unsigned = int(runs["marks"].str.contains("draft").sum()), int((~runs["signed"].astype("bool")).sum())
    draft = f" Drafts, made by code that was not all committed: {drafts}." if drafts else ""
    how = "all are signed" if not unsigned else "none is signed" if unsigned == len(runs) else f"{unsigned} not signed"
    return f"{counted(len(runs), noun='run')} stand; {how}.{draft}"


def replaced_sentence(replaced: pd.DataFrame) -> str:
    """Say how many runs were replaced."""
    return f"{counted(len(replaced), noun='run')} took the place of an earlier one, which the archive keeps."


def data_sentence(data: pd.DataFrame) -> str:
    """Say how many files were returned, in how many snapshots."""
    snapshots = counted(data["snapshot"].nunique(), noun="snapshot")
    gone = int(data["standing"].str.startswith("expired").sum())
    expired = f"; {counted(gone, noun='file')} expired by a rule" if gone else ""
    return f"{counted(len(data), noun='file')} in {snapshots}{expired}."


def code_sentence(code: pd.DataFrame) -> str:
    """Say by how many versions the runs were made."""
    if len(code) == 1:
        return "All runs were made by one version of the library, on one lock and one Python."
    return f"Runs were made by {len(code)} versions of library, lock or Python: pmo compare says what differs."


def overrides_sentence(overrides: pd.DataFrame) -> str:
    """Say how many settings were given for single runs."""
    return f"{counted(len(overrides), noun='setting')} given for single runs, printed on their pages."


def corrections_sentence(corrections: pd.DataFrame) -> str:
    """Say how often returns were corrected."""
    return f"Returns of the period were corrected {counted(len(corrections), noun='time')} after they were taken."


def changes_sentence(changes: pd.DataFrame) -> str:
    """Say how many published figures changed."""
    runs = counted(changes["run"].nunique(), noun="run")
    return f"{counted(len(changes), noun='published figure')} changed in {runs}; each page that restates says so."


def checks_sentence(checks: pd.DataFrame) -> str:
    """Say what was found."""
    found = checks.set_index("what")["found"]
    return f"Every byte is as it was entered: {found['Files']}."
