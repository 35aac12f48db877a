"""What a correction changed: the figures of a report as they were reported and as they are now."""

from __future__ import annotations

import pandas as pd

CHANGED = ["name", "label", "unit", "reported", "reported_reason", "restated", "restated_reason"]
NOT_PUBLISHED = "not published"


def changed_figures(reported: pd.DataFrame, *, restated: pd.DataFrame) -> pd.DataFrame:
    """Return every figure whose value, or the reason why it has none, is not what was reported.

    Parameters
    ----------
    reported, restated
        Published figures: ``name, value, unit, reason``, and optionally ``label``.

    Returns
    -------
    DataFrame
        ``name, label, unit, reported, reported_reason, restated, restated_reason``, in the order of ``restated``; a
        figure of only one of the two has no value in the other, for the reason "not published".
    """
    before = {row["name"]: row for row in reported.to_dict("records")}
    now = {row["name"]: row for row in restated.to_dict("records")}
    rows = []
    for name in [*now, *(name for name in before if name not in now)]:
        old, new = _told(before.get(name)), _told(now.get(name))
        if old != new:
            about = now.get(name) or before[name]
            label = about.get("label")
            shown = label if isinstance(label, str) and label else str(name).replace("_", " ")
            rows.append((name, shown, about["unit"], *old, *new))
    return pd.DataFrame(rows, columns=CHANGED)


def _told(figure: dict[object, object] | None) -> tuple[float | None, str]:
    """Return value and reason of a figure, as they are compared and shown."""
    if figure is None:
        return None, NOT_PUBLISHED
    value, reason = figure["value"], figure["reason"]
    if pd.isna(value):  # type: ignore[call-overload]
        return None, reason if isinstance(reason, str) else ""
    return float(value), ""  # type: ignore[arg-type]
