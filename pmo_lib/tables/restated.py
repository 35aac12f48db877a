"""The notice at the top of a restated page: who corrected what was returned, when and why, and each changed figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from pmo_lib.tables.html import Show, html_table
from pmo_lib.tables.tiles import written
from pmo_lib.theme import counted, day

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def restated_html(changed: pd.DataFrame | None, *, run: str, corrected: Sequence[Mapping[str, Any]]) -> Markup:
    """Write the notice.

    Parameters
    ----------
    changed
        See :func:`pmo_lib.metrics.restated.changed_figures`; None where a rule disposed of what was reported.
    run
        Place of the run in the archive that is restated.
    corrected
        Each correction of the returns since: ``at`` (ISO 8601), ``operator``, ``reason``.
    """
    items = Markup("").join(
        Markup("<li>{} by {}: {}</li>").format(day(pd.Timestamp(one["at"][:10])), one["operator"], one["reason"])
        for one in corrected
    )
    if changed is None:
        lead, table = "what was reported has expired by a rule, so nothing can be compared", Markup("")
    else:
        count = counted(len(changed), noun="figure")
        lead = f"{count} of this page changed" if len(changed) else "no published figure of this page changed"
        table = _table(changed)
    return Markup(
        '<section class="standing restated"><p><strong>Restated: {}.</strong> What was returned was corrected after '
        "this report was published:</p><ul>{}</ul>{}<p>As reported before: <code>{}</code> in the archive.</p>"
        "</section>"
    ).format(lead, items, table, run)


def _table(changed: pd.DataFrame) -> Markup:
    if changed.empty:
        return Markup("")
    shown = pd.DataFrame(
        {
            "figure": [f"{label[:1].upper()}{label[1:]}" for label in changed["label"]],
            "reported": [_figure(row, name="reported") for row in changed.to_dict("records")],
            "restated": [_figure(row, name="restated") for row in changed.to_dict("records")],
        }
    )
    columns = [Show("figure", "Figure"), Show("reported", "As reported"), Show("restated", "As restated")]
    return Markup(html_table(shown, columns=columns, caption="Figures that changed").html)  # noqa: S704 - it escapes


def _figure(row: Mapping[Any, Any], *, name: str) -> str:
    value, reason = row[name], row[f"{name}_reason"]
    text = written(value, unit=str(row["unit"] or ""))
    return f"{text}: {reason}" if pd.isna(value) and reason else text
