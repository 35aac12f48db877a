"""Executed notebook → one HTML page that needs no network, and the gate that refuses what must not be published.

Nothing is imported here: who wants only the shared plotly.js, or a text without paths, need not load nbconvert.

Inside: ``paths``, ``charts`` (a figure's HTML, the shared plotly.js), ``headings`` (markdown with anchors) < ``page`` <
``gate``.
"""
