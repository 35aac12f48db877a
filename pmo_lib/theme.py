"""How meaning looks: every colour, font, number and date format, the plotly template and the page's CSS.

Ratings are told by letter, shape and colour together, so that they survive a grey printer and colour-blind eyes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go

if TYPE_CHECKING:
    from collections.abc import Iterable

NOT_COMPUTABLE = "n/a"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', 'DejaVu Sans', sans-serif"
INK, MUTED, RULE, PAPER, ACCENT = "#1c2430", "#5b6675", "#d5dae1", "#ffffff", "#2457a5"
# Okabe and Ito's order, darkened where white text stands on it.
SERIES = ("#2457a5", "#c05a00", "#00795c", "#8a3c78", "#6b7380", "#a88600")
RISE, FALL, HOLD = "#b3261e", "#00795c", "#8d97a5"


@dataclass(frozen=True)
class Look:
    """How one rating or grade is drawn."""

    letter: str
    shape: str
    colour: str
    text: str


RATING_LOOKS: dict[str, Look] = {
    "green": Look("G", "●", "#1d7a4f", "#ffffff"),
    "amber/green": Look("AG", "◐", "#7a9a2e", "#10150a"),
    "amber": Look("A", "▲", "#f0b429", "#1c1400"),
    "amber/red": Look("AR", "◆", "#dd6b20", "#1c0d00"),
    "red": Look("R", "■", "#b3261e", "#ffffff"),
}
GRADE_LOOKS: dict[str, Look] = {
    "low": Look("L", "●", "#cfe3d8", "#10301f"),
    "medium": Look("M", "▲", "#f6dc9a", "#332600"),
    "high": Look("H", "◆", "#eda26a", "#331400"),
    "severe": Look("S", "■", "#b3261e", "#ffffff"),
}
NO_LOOK = Look("–", "○", "#e7eaee", "#3a4350")

CURRENCY_SIGNS = {"GBP": "£", "USD": "$", "EUR": "€"}


@dataclass(frozen=True)
class Scale:
    """A unit that a whole column or axis of money is written in."""

    divisor: float
    unit: str
    decimals: int

    def write(self, value: float | None, *, signed: bool = False) -> str:
        """Write one value without its unit; null is :data:`NOT_COMPUTABLE`."""
        if value is None or pd.isna(value):
            return NOT_COMPUTABLE
        return _minus(_figure(value / self.divisor, decimals=self.decimals, signed=signed))


def money_scale(values: Iterable[float], *, currency: str = "") -> Scale:
    """Choose one scale for a set of amounts, by the largest of them (bn, m, k or units)."""
    largest = max((abs(v) for v in values if v is not None and math.isfinite(v)), default=0.0)
    sign = CURRENCY_SIGNS.get(currency, f"{currency} " if currency else "")
    for divisor, suffix in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if largest >= 10 * divisor or (divisor == 1e6 and largest >= divisor):
            return Scale(divisor, f"{sign}{suffix}", 1 if largest >= 100 * divisor else 2)
    return Scale(1.0, sign.strip() or "units", 0)


def money(value: float | None, *, currency: str = "", signed: bool = False) -> str:
    """Write one amount with its sign and scale, as in a sentence: ``£63.9bn``."""
    if value is None or pd.isna(value):
        return NOT_COMPUTABLE
    sign = CURRENCY_SIGNS.get(currency, f"{currency} " if currency else "")
    for divisor, suffix in ((1e9, "bn"), (1e6, "m"), (1e3, "k"), (1.0, "")):
        if abs(value) >= divisor or divisor == 1.0:
            decimals = 1 if divisor > 1 and abs(value) / divisor >= 10 else 2 if divisor > 1 else 0
            size = f"{abs(value) / divisor:,.{decimals}f}"
            lead = "−" if value < 0 and float(size.replace(",", "")) else "+" if signed and value > 0 else ""
            return f"{lead}{sign}{size}{suffix}"
    raise AssertionError("unreachable: the last divisor takes every value")


def share(value: float | None, *, signed: bool = False, decimals: int = 0) -> str:
    """Write a share as per cent: 0.125 → ``12%`` (round half to even, as the figures are)."""
    if value is None or pd.isna(value):
        return NOT_COMPUTABLE
    return _minus(f"{_figure(value * 100, decimals=decimals, signed=signed)}%")


def kept_share(kept: float, *, n: float) -> str:
    """Write how much of a whole was kept, rounded down: ``100%`` means all of it, and 1,999 of 2,000 is ``99.9%``."""
    if not n:
        return NOT_COMPUTABLE
    return "100%" if kept >= n else f"{math.floor(kept / n * 1000) / 10:.1f}%"


def number(value: float | None, *, decimals: int = 0, signed: bool = False) -> str:
    """Write a plain number; null is :data:`NOT_COMPUTABLE`."""
    if value is None or pd.isna(value):
        return NOT_COMPUTABLE
    return _minus(_figure(float(value), decimals=decimals, signed=signed))


def day(value: Any) -> str:
    """Write a date as ``30 Sep 2026``; null is :data:`NOT_COMPUTABLE`. Never depends on the locale."""
    if value is None or pd.isna(value):
        return NOT_COMPUTABLE
    stamp = pd.Timestamp(value)
    return f"{stamp.day} {MONTHS[stamp.month - 1]} {stamp.year}"


MONTHS = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)


def month(period: str) -> str:
    """Write a period: ``2026-09`` → ``Sep 2026``."""
    year, number_of_month = period.split("-")
    return f"{MONTHS[int(number_of_month) - 1]} {year}"


def counted(count: int, *, noun: str, plural: str = "") -> str:
    """Write a count with its noun: ``1 project``, ``3 projects``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def quantity(value: float | None, *, unit: str, signed: bool = False) -> str:
    """Write a value with its unit: ``127 days``, ``11.2%``, ``severity 4``; null is :data:`NOT_COMPUTABLE`."""
    if value is None or pd.isna(value):
        return NOT_COMPUTABLE
    if unit == "share":
        return share(float(value), signed=signed, decimals=1)
    text = number(float(value), signed=signed)
    return f"{text} {unit}" if unit != "severity" else f"severity {text}"


def _figure(value: float, *, decimals: int, signed: bool) -> str:
    """Round first, so that −0.04 is written 0.0 and not −0.0; nothing has no sign."""
    rounded = round(value, decimals) + 0.0
    return f"{rounded:{'+' if signed and rounded else ''},.{decimals}f}"


def _minus(text: str) -> str:
    return text.replace("-", "−")


def rating_look(rating: object) -> Look:
    """Return the look of a rating or grade; anything unknown or null has :data:`NO_LOOK`."""
    key = str(rating).lower()
    return RATING_LOOKS.get(key) or GRADE_LOOKS.get(key) or NO_LOOK


def rating_rank(rating: object) -> int:
    """Return the place of a rating or grade from the best (0) to the worst; −1 for anything else."""
    key = str(rating).lower().partition(", ")[0]
    scale = list(RATING_LOOKS if key in RATING_LOOKS else GRADE_LOOKS)
    return scale.index(key) if key in scale else -1


@cache
def template() -> go.layout.Template:
    """Return the plotly template: quiet grid, direct labels, no frame; a figure takes a copy of it."""
    axis = {
        "gridcolor": RULE,
        "zerolinecolor": MUTED,
        "linecolor": RULE,
        "automargin": True,
        "title": {"standoff": 8},
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": INK},
            "title": {"x": 0, "xanchor": "left", "font": {"size": 15}, "pad": {"b": 8}},
            "colorway": list(SERIES),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 8, "r": 8, "t": 48, "b": 8},
            "legend": {
                "orientation": "h",
                "x": 0,
                "y": 1.02,
                "yanchor": "bottom",
                "title": {"text": ""},
            },
            "hoverlabel": {"font": {"family": FONT}},
            "bargap": 0.25,
        }
    )


def page_css() -> str:
    """Return the whole style sheet of a page: screen, narrow screen, dark and print."""
    return files("pmo_lib").joinpath("templates", "page.css").read_text(encoding="utf-8")
