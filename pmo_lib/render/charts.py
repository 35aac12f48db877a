"""Charts in a page: the data of each figure, and one plotly.js for all pages of a period.

A figure stays in the notebook as data (its mime type); only here does it become HTML. What a notebook says about the
configuration is dropped: the page's own script decides, so that no chart offers to upload its data.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
from markupsafe import Markup
from plotly.offline import get_plotlyjs, get_plotlyjs_version

from pmo_lib.store import write_atomically
from pmo_lib.theme import template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLOTLY = "application/vnd.plotly.v1+json"
DEFAULT_HEIGHT = 450  # plotly.js's own
_UNSAFE = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}
_TAG = re.compile(r"<[^>]*>")
_FIGURE = Markup(
    '<figure class="chart" id="{id}" aria-label="{title}">'
    '<div class="plot" id="{id}-plot" style="min-height:{height}px"></div>'
    '<noscript><p class="missing">The chart “{title}” is drawn by JavaScript, which is off here.</p></noscript>'
    '<script type="application/json" id="{id}-data">{data}</script></figure>'
)


def asset_name() -> str:
    """Return the file name of the shared plotly.js, with its version."""
    return f"plotly-{get_plotlyjs_version()}.min.js"


def write_assets(folder: Path) -> Path:
    """Write the shared plotly.js into a folder, whole or not at all; return its path.

    Parameters
    ----------
    folder
        The ``assets`` folder of a period; made if it is not there. A file with the right content is left alone.
    """
    path = folder / asset_name()
    content = library().encode()
    if not path.exists() or path.read_bytes() != content:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content=content)
    return path


@cache
def library() -> str:
    """Return the text of plotly.js as the plotly package ships it."""
    return str(get_plotlyjs())


@cache
def page_script() -> str:
    """Return the page's own script: it draws the charts."""
    return files("pmo_lib").joinpath("templates", "report", "page.js").read_text(encoding="utf-8")


def script_hash(script: str) -> str:
    """Return the source expression that lets a content security policy accept one inline script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def figure_html(figure: Mapping[str, Any], *, number: int) -> Markup:
    """Return a figure as HTML: an empty place, a line for readers without JavaScript, and its data.

    Parameters
    ----------
    figure
        Content of the mime type :data:`PLOTLY`: ``data`` and ``layout``.
    number
        Its place among the figures of the page, from 1: the id is ``figure-<number>``.
    """
    layout = figure.get("layout", {})
    data = json.dumps(
        {"data": figure.get("data", []), "layout": layout}, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    return _FIGURE.format(
        id=f"figure-{number}",
        title=title_of(figure) or f"Chart {number}",
        height=int(layout.get("height") or DEFAULT_HEIGHT),
        data=Markup(data.translate(_UNSAFE)),  # noqa: S704 - the line before made it safe inside a script element
    )


def warm() -> None:
    """Make one figure of each common kind, since plotly loads a kind when it is first used."""
    kinds = (go.Bar, go.Box, go.Heatmap, go.Histogram, go.Icicle, go.Pie, go.Scatter, go.Treemap, go.Waterfall)
    axes = {"title": {"text": "a"}, "tickvals": [1]}
    layout = {
        "template": template(),
        "title": {"text": "a"},
        "xaxis": axes,
        "yaxis": axes,
        "annotations": [{"text": "a"}],
    }
    figure = go.Figure([kind() for kind in kinds], layout=layout)
    figure.add_scatter(x=pd.Series([1]), y=pd.Series([1.0]))
    pio.renderers["plotly_mimetype"].to_mimebundle(figure.to_dict())


def title_of(figure: Mapping[str, Any]) -> str:
    """Return the title of a figure as plain text, without plotly's tags."""
    title = figure.get("layout", {}).get("title") or {}
    text = title.get("text") or "" if isinstance(title, dict) else title
    return " ".join(_TAG.sub(" ", str(text)).split())
