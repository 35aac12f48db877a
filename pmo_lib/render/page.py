"""Executed notebook → HTML page, by our own template on nbconvert's ``base``.

The same notebook gives the same bytes, wherever and whenever: ids are counted, nothing is drawn at random, no time and
no path is written. Text from data is escaped here (streams, plain text, markdown outputs, errors) or by the table
writer (HTML outputs); a content security policy that knows only our scripts is the second wall.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup
from nbconvert.exporters.templateexporter import TemplateExporter
from nbformat import NotebookNode, from_dict

from pmo_lib.render.charts import (
    PLOTLY,
    asset_name,
    figure_html,
    library,
    page_script,
    script_hash,
    warm as warm_figures,
)
from pmo_lib.render.headings import Headings
from pmo_lib.report import ECHO, PUBLISHED, RESTATED
from pmo_lib.theme import page_css

IDENTITY = ("organisation", "period", "portfolio", "report", "snapshot")
SCRAP = "application/scrapbook."
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def render(notebook: NotebookNode, *, assets: str = "../assets", standalone: bool = False) -> str:
    """Return an executed notebook as a page.

    Parameters
    ----------
    notebook
        With its outputs; ``metadata.title`` and ``metadata.language`` are used. It is not changed.
    assets
        Where the shared plotly.js is, seen from the page (:func:`pmo_lib.render.charts.write_assets` writes it).
    standalone
        Whether to put plotly.js into the page itself (5 MB) instead.
    """
    cells, lead = _prepared(notebook)
    page = {
        "language": notebook.metadata.get("language", "en"),
        "policy": policy(standalone=standalone),
        "identity": identity(notebook),
        "title": _title(notebook),
        "css": page_css(),
        "lead": lead,
        "library": _library(assets, standalone=standalone),
        "script": page_script(),
    }
    shown = _node({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    # HTMLExporter would parse the finished page a second time, which takes a hundred times as long for a large table.
    html, _ = exporter().from_notebook_node(shown, resources={"page": page})
    return str(html)


def warm() -> None:
    """Load the template, plotly.js and the kinds of figures; for the fork server, before it forks."""
    warm_figures()
    policy(standalone=True)
    render(_node({"cells": [{"cell_type": "markdown", "source": "## a", "metadata": {}}], "metadata": {}}))


@cache
def exporter() -> TemplateExporter:
    """Return the one exporter of this process."""
    options: dict[str, Any] = {
        "template_name": "report",
        "template_file": "index.html.j2",
        "extra_template_basedirs": [str(files("pmo_lib").joinpath("templates"))],
        "default_preprocessors": [],  # each would have the notebook validated once more
    }
    return TemplateExporter(**options)  # type: ignore[no-untyped-call]


@cache
def policy(*, standalone: bool) -> str:
    """Return the content security policy: our scripts and nothing else runs, nothing is fetched.

    ``'self'`` is for the shared plotly.js: a hash for a file is not accepted from disk.
    """
    scripts = script_hash(library()) if standalone else "'self'"
    return (
        f"default-src 'none'; script-src {scripts} {script_hash(page_script())}; style-src 'unsafe-inline'; "
        "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
    )


def identity(notebook: NotebookNode) -> dict[str, str]:
    """Return what the report says it is of, and that it was published; empty values where it says nothing."""
    echoes, published = contents(notebook, kind=ECHO), contents(notebook, kind=PUBLISHED)
    told = echoes[0] if echoes else {}
    return {**{name: str(told.get(name, "")) for name in IDENTITY}, "published": "yes" if published else "no"}


def contents(notebook: NotebookNode, *, kind: str) -> list[Any]:
    """Return everything of one mime type that the outputs of a notebook hold, in order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]


def _title(notebook: NotebookNode) -> str:
    told = identity(notebook)
    parts = [notebook.metadata.get("title", "Report"), told["portfolio"] or told["organisation"], told["period"]]
    return " · ".join(filter(None, parts))


def _library(assets: str, *, standalone: bool) -> Markup:
    if standalone:
        return Markup('<script id="plotly">{}</script>').format(Markup(library()))  # noqa: S704
    return Markup('<script src="{}/{}"></script>').format(assets.rstrip("/"), asset_name())


def _prepared(notebook: NotebookNode) -> tuple[list[NotebookNode], Markup]:
    """Turn cells into HTML; the contents follow the cell with the page's first heading, or one of our own.

    Code before that cell is kept back until after it, so that a page begins with its title.
    """
    writer = _Outputs()
    chosen = [cell for cell in notebook.cells if cell.cell_type in ("code", "markdown")]
    cells = [_prepared_cell(cell, number=number, writer=writer) for number, cell in enumerate(chosen)]
    toc = writer.headings.contents()
    first = next((index for index, cell in enumerate(cells) if "<h1" in _html_of(cell)), None)
    if first is None:
        return cells, Markup("<h1>{}</h1>\n").format(notebook.metadata.get("title", "Report")) + toc
    kept_back = [source for cell in cells[: first + 1] for source in cell.metadata["code"]]
    for cell in cells[:first]:
        cell.metadata["code"] = []
    cells[first].metadata |= {"after": str(writer.restated + toc), "code": ["\n\n".join(kept_back)]}
    return cells, Markup("")


def _html_of(cell: NotebookNode) -> str:
    if cell.cell_type == "markdown":
        return str(cell.source)
    return "".join(output["data"]["text/html"] for output in cell.outputs)


def _prepared_cell(cell: NotebookNode, *, number: int, writer: _Outputs) -> NotebookNode:
    """Return a cell whose source or outputs are HTML; its code, and what follows it, wait in its metadata."""
    metadata = {"after": "", "code": [cell.source] if cell.cell_type == "code" and cell.source.strip() else []}
    prepared = {"cell_type": cell.cell_type, "id": f"cell-{number}", "metadata": metadata, "source": ""}
    if cell.cell_type == "markdown":
        return _node(prepared | {"source": writer.headings.html(cell.source)})
    written = [html for output in cell.outputs if (html := writer.html(output))]
    outputs = [{"output_type": "display_data", "data": {"text/html": str(html)}, "metadata": {}} for html in written]
    return _node(prepared | {"outputs": outputs, "execution_count": None})


def _node(content: dict[str, Any]) -> NotebookNode:
    node: NotebookNode = from_dict(content)  # type: ignore[no-untyped-call]
    return node


@dataclass
class _Outputs:
    """Writes the outputs of one page, counting its figures."""

    headings: Headings = field(default_factory=Headings)
    figures: int = 0
    restated: Markup = field(default_factory=Markup)

    def html(self, output: NotebookNode) -> Markup:
        """Return one output as HTML; what is not for readers gives nothing."""
        if output.output_type == "stream":
            return Markup('<pre class="stream">{}</pre>').format(output.text)
        if output.output_type == "error":
            return Markup('<pre class="missing">{}</pre>').format(_ANSI.sub("", "\n".join(output.traceback)))
        data = output.data
        if any(kind.startswith(SCRAP) for kind in data):
            return Markup("")
        if RESTATED in data:  # known at the end only, and to be read first
            self.restated += Markup(data["text/html"])  # noqa: S704 - the table writer escapes; the gate looks again
            return Markup("")
        if PLOTLY in data:
            self.figures += 1
            return figure_html(data[PLOTLY], number=self.figures)
        return next((write(data) for kind, write in _WRITERS.items() if kind in data), Markup(""))


def _image(data: Mapping[str, Any], *, kind: str) -> Markup:
    """Return an image as a data address: a drawing in SVG runs no script then."""
    content = data[kind] if kind != "image/svg+xml" else base64.b64encode(data[kind].encode()).decode()
    alt = data.get("text/plain", "")
    return Markup('<img src="data:{};base64,{}" alt="{}">').format(kind, "".join(content.split()), alt)


def _escaped(kind: str) -> Callable[[Mapping[str, Any]], Markup]:
    return lambda data: Markup("<pre>{}</pre>").format(data[kind])


_WRITERS: dict[str, Callable[[Mapping[str, Any]], Markup]] = {
    "text/html": lambda data: Markup(data["text/html"]),  # noqa: S704 - the table writer escapes; the gate looks again
    "image/svg+xml": lambda data: _image(data, kind="image/svg+xml"),
    "image/png": lambda data: _image(data, kind="image/png"),
    "image/jpeg": lambda data: _image(data, kind="image/jpeg"),
    "text/markdown": _escaped("text/markdown"),
    "text/latex": _escaped("text/latex"),
    "text/plain": _escaped("text/plain"),
}
