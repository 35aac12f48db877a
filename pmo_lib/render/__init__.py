"""Executed notebook → one HTML page that needs no network, and the gate that refuses what must not be published.

Inside: ``charts`` (a figure's HTML, the shared plotly.js), ``headings`` (markdown with anchors) < ``page`` < ``gate``.
"""

from pmo_lib.render.charts import asset_name, write_assets
from pmo_lib.render.gate import gate, refusals, without_paths
from pmo_lib.render.page import render, warm

__all__ = ["asset_name", "gate", "refusals", "render", "warm", "without_paths", "write_assets"]
