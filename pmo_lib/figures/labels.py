"""How names and titles stand in a chart: escaped, wrapped and never cut off, on 400 pixels as on 1,440.

A name stands above its own mark and not beside it, so that the mark keeps the whole width of a narrow screen.
"""

from __future__ import annotations

import html
import textwrap
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pmo_lib.theme import template

if TYPE_CHECKING:
    from collections.abc import Iterable

LINE, MARK, GAP = 17, 22, 14
TITLE_LINE = 20
TITLE_WIDTH, NAME_WIDTH = 42, 46


def wrapped(text: str, *, width: int = NAME_WIDTH) -> str:
    """Return data as a label: lines of at most ``width`` characters; what plotly would read as a tag is escaped."""
    return "<br>".join(html.escape(line) for line in textwrap.wrap(text, width)) or "–"


def framed(head: str, *, inner: int, below: int = 56) -> dict[str, Any]:
    """Return the layout of a chart: template, wrapped title, margins and height.

    Parameters
    ----------
    head
        The title: what is shown, or found. Data in it is escaped.
    inner, below
        Pixels of the plot itself, and of axis title and legend below it.
    """
    words = wrapped(head, width=TITLE_WIDTH)
    top = 28 + TITLE_LINE * (words.count("<br>") + 1)
    height = top + inner + below
    title = {"text": words, "yref": "container", "y": 1 - 20 / height, "yanchor": "top", "pad": {"t": 0}}
    return {
        "template": template(),
        "title": title,
        "height": height,
        "margin": {"t": top, "b": 8, "l": 8, "r": 16},
        "legend": {
            "orientation": "h", "traceorder": "normal", "xref": "container", "x": 0, "xanchor": "left",
            "yref": "container", "y": 0, "yanchor": "bottom",
        },
    }  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """Rows of marks, each under its own name; the first is on top, and equal names stay two rows."""

    labels: tuple[str, ...]

    @classmethod
    def of(cls, names: Iterable[str]) -> Rows:
        """Wrap names into labels."""
        return cls(tuple(wrapped(name) for name in names))

    @cached_property
    def pitch(self) -> int:
        """Pixels from one row to the next: all have room for the longest name."""
        return LINE * max((_lines(label) for label in self.labels), default=1) + MARK + GAP

    @property
    def height(self) -> int:
        """Pixels of all rows."""
        return max(len(self.labels), 1) * self.pitch

    @property
    def thickness(self) -> float:
        """Width of a bar in units of the axis."""
        return MARK / self.pitch

    def place(self, row: int) -> float:
        """Return where the mark of a row stands on the axis."""
        return row + 0.5 - (GAP / 2 + MARK / 2) / self.pitch

    def places(self) -> list[float]:
        """Return :meth:`place` of every row."""
        return [self.place(row) for row in range(len(self.labels))]

    def layout(self) -> dict[str, Any]:
        """Return the axis of the rows, and each name just above its mark."""
        rows = max(len(self.labels), 1)
        names = [
            {
                "text": label, "align": "left", "showarrow": False, "font": {"size": 12},
                "xref": "paper", "x": 0, "xanchor": "left",
                "yref": "y", "y": self.place(row) - (MARK / 2 + 1) / self.pitch, "yanchor": "bottom",
            }
            for row, label in enumerate(self.labels)
        ]  # fmt: skip
        axis = {"range": [rows - 0.5, -0.5], "showgrid": False, "zeroline": False, "showticklabels": False}
        return {"annotations": names, "yaxis": axis}


def _lines(label: str) -> int:
    return label.count("<br>") + 1
