"""The figures at the head of a page: a tile for each, with its value as people write it, and how it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from pmo_lib.tables.explained import explanation_html
from pmo_lib.theme import NOT_COMPUTABLE, money, number, share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.metrics.explained import Explanation


def tiles_html(figures: pd.DataFrame, *, told: Mapping[str, Explanation], note: str, command: str) -> Markup:
    """Return a tile for each figure.

    Parameters
    ----------
    figures
        ``name, value, unit, reason``, optionally ``label, movement``.
    told
        Explanations by name, see :func:`pmo_lib.metrics.explained.explained`.
    note
        Stands under every figure with a value, in the place of its movement.
    command
        Prints all rows of a figure, once it is named: ``pmo trace --period 2026-09``.
    """
    tiles = [_tile(row, note=note, told=told.get(row["name"]), command=command) for row in figures.to_dict("records")]
    return Markup('<div class="kpis">{}</div>').format(Markup("\n").join(tiles))


def written(value: Any, *, unit: str) -> str:
    """Return a value with its unit; what cannot be computed is said in words."""
    return NOT_COMPUTABLE if pd.isna(value) else _quantity(float(value), unit=unit)


def _tile(row: Mapping[Any, Any], *, note: str, told: Explanation | None, command: str) -> Markup:
    label = str(row.get("label") or row["name"]).replace("_", " ")
    label = label[:1].upper() + label[1:]
    small = str(row["reason"]) if pd.isna(row["value"]) else note or str(row.get("movement") or "")
    return Markup(
        '<div class="kpi"><span class="label">{}</span><span class="value">{}</span>'
        '<span class="small">{}</span>{}</div>'
    ).format(
        label, written(row["value"], unit=str(row.get("unit") or "")), small,
        "" if told is None else explanation_html(told, label=label, command=command),
    )  # fmt: skip


def _quantity(value: float, *, unit: str) -> str:
    if unit == "share":
        return share(value)
    if len(unit) == 3 and unit.isupper():
        return money(value, currency=unit)
    if unit == "ratio":
        return number(value, decimals=2)
    return f"{number(value)} {unit}".strip() if unit == "days" else number(value)
