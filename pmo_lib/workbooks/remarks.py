"""A finding in words for the people who mend it: the text of a comment, and what became of the cell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pmo_lib.theme import GRADE_LOOKS
from pmo_lib.workbooks.layout import LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUFFIXES = (".xlsx", ".xlsm")  # what can be annotated
SEVERITIES = ("error", "warning", "notice")
FILLS = dict(zip(SEVERITIES, (GRADE_LOOKS[grade].colour for grade in ("high", "medium", "low")), strict=True))
DONE = {
    "refused": "the return is refused",
    "quarantined": "the row is not used",
    "nulled": "the cell counts as empty",
    "kept": "used as it stands",
}
# Where our part of a comment begins; what stands above it is the user's own.
MARK = "--- pmo check ---"
MOST_REMARKS = 5  # in one comment; the others are in the list of findings
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def clean(text: object) -> str:
    """Return a text that a cell or comment can hold: no sign that XML has not, and not too long."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", "" if text is None else str(text))[:LONGEST_TEXT]


def ranked(findings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return findings, the worst first, else in their order."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding["severity"]))


def remark_of(finding: Mapping[str, Any], *, at: str) -> str:
    """Return a finding in a few lines; it names its cell where that is not the one that the comment stands at."""
    cell = f"{finding['cell']}, " if finding["cell"] != at else ""
    lines = [
        f"{finding['severity'].upper()}: {cell}{finding['message']}",
        f"Value: {finding['value']}" if finding["value"] else "",
        f"Expected: {finding['expected']}" if finding["expected"] else "",
        f"What to do: {finding['fix']}",
        f"As it stands: {DONE[finding['action']]}",
    ]
    return "\n".join(line for line in lines if line)


def comment_of(findings: Sequence[Mapping[str, Any]], *, at: str, before: str) -> str:
    """Return the text of a cell's comment: what stood there before, then the findings, the worst first."""
    remarks = [remark_of(finding, at=at) for finding in ranked(findings)[:MOST_REMARKS]]
    if len(findings) > MOST_REMARKS:
        remarks.append(f"… and {len(findings) - MOST_REMARKS} more in the list of findings")
    own = without_remarks(before)
    return clean("\n".join([*([own, ""] if own else []), MARK, "\n\n".join(remarks)]))


def without_remarks(comment: str) -> str:
    """Return the part of a comment that is the user's own."""
    return comment.split(MARK, 1)[0].rstrip()
