"""Pages: what a reader gets, what is the same, what is escaped; and a gate that refuses for every reason it knows."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jobs
import nbformat
import pytest
from hypothesis import given, settings, strategies as st
from plotly.offline import get_plotlyjs

from pmo_lib.errors import GateRefused
from pmo_lib.render.charts import PLOTLY, asset_name, figure_html, page_script, title_of, write_assets
from pmo_lib.render.gate import gate, machine_roots, refusals
from pmo_lib.render.headings import Headings
from pmo_lib.render.page import render
from pmo_lib.render.paths import without_paths
from pmo_lib.workers import Workers

Notebook = nbformat.NotebookNode
ASKED = {"organisation": "demo", "period": "2026-09", "portfolio": "north", "report": "health_check", "snapshot": ""}

# Each would run, or fetch, in a page that does not escape it.
PAYLOADS = (
    "<script>window.ran=1</script>",
    "</script><script>window.ran=1</script>",
    "<img src=x onerror=window.ran=1>",
    '"><svg onload=window.ran=1>',
    "' onmouseover='window.ran=1' x='",
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "<a href=\"javascript:window.ran=1\">click</a>",
    "<details open ontoggle=window.ran=1>",
    "<!--<script>-->window.ran=1</script>",
    "</style></title></noscript><body onload=window.ran=1>",
    "<math><mi xlink:href=\"javascript:window.ran=1\">x</mi></math>\u2028${window.ran=1}{{7*7}}",
)  # fmt: skip


def executed(folder: Path, *wanted: tuple[str, dict[str, str]]) -> list[Notebook]:
    """Execute fixture notebooks with parameters."""
    making = [jobs.Wanted(name, "pmo", folder / f"{at}.ipynb", given) for at, (name, given) in enumerate(wanted)]
    outcomes = sorted(Workers(warm=jobs.WARM).run(jobs.run_notebook, jobs=making), key=lambda one: one.index)
    return [nbformat.reads(outcome.value.notebook, as_version=4) for outcome in outcomes]


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Notebook]:
    """Executed fixture notebooks by name."""
    names = ("reports_completely", "shows_rich_output", "draws_figures", "prints_and_warns", "glues_results")
    wanted = [(name, {"organisation": "demo"}) for name in names]
    return dict(zip(names, executed(tmp_path_factory.mktemp("run"), *wanted), strict=True))


@pytest.fixture
def notebook(notebooks: dict[str, Notebook]) -> Notebook:
    """An executed report that passes the gate, for changing."""
    return copy.deepcopy(notebooks["reports_completely"])


def made(*cells: tuple[str, str], outputs: list[dict[str, Any]] | None = None, title: str = "T") -> Notebook:
    """Make an executed notebook: cells of (kind, source), the outputs in one more cell."""
    document = nbformat.v4.new_notebook(metadata={"title": title})
    makers = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    document.cells = [makers[kind](source) for kind, source in cells]
    if outputs is not None:
        document.cells.append(nbformat.v4.new_code_cell("show()", outputs=list(map(nbformat.from_dict, outputs))))
    for number, cell in enumerate(cell for cell in document.cells if cell.cell_type == "code"):
        cell.execution_count = number + 1
    return document


def displayed(**data: Any) -> dict[str, Any]:
    """Return a display of mime types, ``text_html="…"``."""
    return {
        "output_type": "display_data", "metadata": {}, "data": {k.replace("_", "/", 1): v for k, v in data.items()},
    }  # fmt: skip


def figure(**layout: Any) -> dict[str, Any]:
    """Return a display of a figure."""
    content = {"data": [{"type": "bar", "x": ["a"], "y": [1]}], "layout": layout}
    return {"output_type": "display_data", "metadata": {}, "data": {PLOTLY: content}}


class Outline(HTMLParser):
    """Start tags of a page with their attributes, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.append((tag, dict(attrs)))

    def all(self, wanted: str) -> list[dict[str, str | None]]:
        """Return the attributes of all tags of a name."""
        return [attributes for tag, attributes in self.tags if tag == wanted]


# --- what a reader gets ---------------------------------------------------------------------------------------------


def test_a_page_is_one_document_for_people(notebooks: dict[str, Notebook]) -> None:
    """A page has its language, a title that says what it is of, one main part, one first heading and a skip link."""
    page = render(notebooks["reports_completely"])
    outline = Outline(page)
    assert outline.all("html") == [{"lang": "en"}]
    assert "<title>Health check · north · 2026-09</title>" in page
    assert outline.all("main") == [{"id": "main"}]
    assert len(outline.all("h1")) == 1
    assert outline.all("a")[0] == {"class": "skip", "href": "#main"}
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in outline.all("meta")


def test_a_page_says_what_it_is_of(notebooks: dict[str, Notebook]) -> None:
    """Organisation, period, portfolio, report, snapshot and that it was published stand in the page's head."""
    metas = Outline(render(notebooks["reports_completely"])).all("meta")
    told = {str(meta["name"]): meta["content"] for meta in metas if "name" in meta}
    assert {name: told[f"pmo-{name}"] for name in (*ASKED, "published")} == {
        **ASKED, "snapshot": "f" * 64, "published": "yes",
    }  # fmt: skip


def test_contents_lead_to_every_question(notebooks: dict[str, Notebook]) -> None:
    """The table of contents follows the title and links each question of the notebook once."""
    page = render(notebooks["reports_completely"])
    questions = ["how-do-the-projects-stand", "what-costs-more", "what-is-missing"]
    assert re.findall(r'<a href="#([\w-]+)">', page.partition('class="toc"')[2]) == questions
    assert re.findall(r'<h2 id="([\w-]+)">', page) == questions
    assert page.index("<h1>") < page.index('class="toc"') < page.index("<h2 id")


def test_code_is_one_click_away(notebooks: dict[str, Notebook]) -> None:
    """All code is in the page, folded, after what it shows; what precedes the title follows it."""
    notebook = notebooks["reports_completely"]
    page = render(notebook)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    shown = [unescape(code) for code in re.findall(r'<details class="code">.*?<code>(.*?)</code>', page, re.DOTALL)]
    assert "\n\n".join(shown) == "\n\n".join(sources)
    assert page.index("<h1>") < page.index('<details class="code">')
    assert page.index('id="figure-1"') < page.index("<code>note(") < page.index('id="figure-2"')


def test_a_title_stands_over_a_notebook_without_one() -> None:
    """A notebook that shows no first heading gets its title as one."""
    assert "<h1>A &amp; B</h1>" in render(made(("markdown", "## one"), title="A & B"))
    assert render(made(("markdown", "# own"))).count("<h1") == 1


def test_figures_are_data_with_counted_ids(notebooks: dict[str, Notebook]) -> None:
    """Each figure is a place, a line for readers without JavaScript and a JSON block; ids count from figure-1."""
    notebook = notebooks["draws_figures"]
    page = render(notebook)
    assert [tag["id"] for tag in Outline(page).all("figure")] == ["figure-1", "figure-2", "figure-3"]
    blocks = [json.loads(block) for block in re.findall(r'id="figure-\d+-data">(.*?)</script>', page)]
    held = [output.data[PLOTLY] for cell in notebook.cells for output in cell.get("outputs", [])]
    assert blocks == [{"data": figure["data"], "layout": figure["layout"]} for figure in held]
    assert page.count("<noscript>") == 3
    assert 'aria-label="A line"' in page


def test_a_figure_cannot_leave_its_block(notebooks: dict[str, Notebook]) -> None:
    """Text in a figure that would end the script element is coded, and read back unchanged."""
    block = re.findall(r'id="figure-1-data">(.*?)</script>', render(notebooks["draws_figures"]))[0]
    assert not set("<>&") & set(block)
    assert json.loads(block)["layout"]["title"]["text"] == "Bars </script><!--"


@settings(deadline=None)
@given(text=st.text())
def test_any_text_survives_in_a_figure(text: str) -> None:
    """Whatever text stands in a figure, its block has no markup and no line separator, and reads back the same."""
    html = str(figure_html({"data": [], "layout": {"title": {"text": text}}}, number=1))
    (block,) = re.findall(
        r'<script type="application/json" id="figure-1-data">(.*?)</script></figure>$', html, re.DOTALL
    )
    assert json.loads(block)["layout"]["title"]["text"] == text
    assert not set("<>&\u2028\u2029") & set(block)


@pytest.mark.parametrize(
    ("layout", "title"),
    [({}, ""), ({"title": None}, ""), ({"title": "plain"}, "plain"), ({"title": {"text": "a<br><b>b</b>"}}, "a b")],
)
def test_the_title_of_a_figure_is_plain(layout: dict[str, Any], title: str) -> None:
    """A figure is named by its title without plotly's tags."""
    assert title_of({"layout": layout}) == title


def test_tables_and_words_need_no_javascript(notebooks: dict[str, Notebook]) -> None:
    """Every table, sentence and missing-note is in the HTML itself."""
    page = re.sub(r"<script.*?</script>", "", render(notebooks["reports_completely"]), flags=re.DOTALL)
    assert "<table><caption>Rating </caption>" in page
    assert '<p class="missing">Missing: risks </p>' in page


def test_scraps_are_not_for_readers(notebooks: dict[str, Notebook]) -> None:
    """Glued results do not show in the page; what glue displays for readers does."""
    page = render(notebooks["glues_results"])
    body = re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)
    assert "scrapbook" not in body
    assert "[1, 2, 3]" in body


# --- nothing from outside, nothing that changes ---------------------------------------------------------------------


def test_the_same_notebook_gives_the_same_bytes(notebooks: dict[str, Notebook]) -> None:
    """Rendering twice, in another order of keys, or after a round trip through a file changes no byte."""
    for notebook in notebooks.values():
        again = nbformat.reads(nbformat.writes(notebook), as_version=4)
        shuffled = nbformat.from_dict(json.loads(json.dumps(notebook), object_pairs_hook=lambda p: dict(reversed(p))))
        assert render(notebook) == render(again) == render(shuffled)


def test_rendering_changes_no_notebook(notebooks: dict[str, Notebook]) -> None:
    """A notebook is the same after its page was made."""
    notebook = notebooks["reports_completely"]
    before = nbformat.writes(notebook)
    render(notebook)
    assert nbformat.writes(notebook) == before


def test_scripts_are_allowed_by_name(notebooks: dict[str, Notebook]) -> None:
    """The policy allows the page's own script by its hash and files beside the page, and fetches nothing."""
    page = render(notebooks["reports_completely"])
    (policy,) = [tag["content"] for tag in Outline(page).all("meta") if "http-equiv" in tag]
    (script,) = re.findall(r'<script id="page-script">(.*?)</script>', page, re.DOTALL)
    own = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'self' 'sha256-{own}';" in str(policy)
    assert not re.search(r"https?:", page)


def test_the_library_is_shared(tmp_path: Path, notebooks: dict[str, Notebook]) -> None:
    """plotly.js is written once, whole, under its version; a page refers to it by a relative path."""
    path = write_assets(tmp_path / "assets")
    assert path.read_text(encoding="utf-8") == get_plotlyjs()
    written = path.stat().st_mtime_ns
    assert write_assets(tmp_path / "assets").stat().st_mtime_ns == written
    path.write_text("torn", encoding="utf-8")
    assert write_assets(tmp_path / "assets").read_text(encoding="utf-8") == get_plotlyjs()
    page = render(notebooks["reports_completely"], assets="assets")
    assert f'<script src="assets/{asset_name()}"></script>' in page
    assert len(page) < 60_000


def test_a_standalone_page_has_the_library_inside(notebooks: dict[str, Notebook]) -> None:
    """On request a page carries plotly.js itself, allowed by its hash, and refers to no file; the gate accepts it."""
    notebook = notebooks["reports_completely"]
    page = render(notebook, standalone=True)
    assert get_plotlyjs() in page
    assert "'self'" not in page.partition("<style>")[0]
    assert refusals(notebook, page=page, parameters=ASKED, figures_made=2) == []


def test_the_page_offers_no_cloud() -> None:
    """The configuration of every chart switches off what would send its data away."""
    for option in (
        "displaylogo: false",
        "showSendToCloud: false",
        'plotlyServerURL: ""',
        "showEditInChartStudio: false",
    ):
        assert option in page_script()


def test_equal_headings_have_different_anchors() -> None:
    """Anchors are made of a heading's words, numbered where they repeat, and never collide with figures."""
    headings = Headings()
    html = "".join(headings.html(text) for text in ("## A b", "## A **b**", "### Größe & Zeit?", "## Figure 1", "## !"))
    assert re.findall(r'id="([^"]+)"', html) == ["a-b", "a-b-2", "größe-zeit", "section-figure-1", "section"]


def test_one_heading_needs_no_contents() -> None:
    """A page with a single question has no table of contents."""
    assert 'class="toc"' not in render(made(("markdown", "## only")))


# --- hostile data ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize(
    "kind", ["text_plain", "text_markdown", "text_latex", "stream", "error", "title", "figure", "svg"]
)
def test_hostile_text_stays_text(kind: str, payload: str) -> None:
    """Text of plain, markdown, latex, stream and error outputs, titles and figures adds no element and no attribute."""

    def page(text: str) -> str:
        if kind == "stream":
            outputs = [{"output_type": "stream", "name": "stdout", "text": text}]
        elif kind == "error":
            outputs = [{"output_type": "error", "ename": text, "evalue": text, "traceback": [text]}]
        elif kind == "figure":
            outputs = [figure(title={"text": text}, annotations=[{"text": text}])]
        elif kind == "svg":
            outputs = [displayed(**{"image_svg+xml": f"<svg><title>{text}</title></svg>", "text_plain": text})]
        else:
            outputs = [displayed(**{kind: text})] if kind != "title" else []
        return render(made(outputs=outputs, title=text if kind == "title" else "T"))

    def shape(text: str) -> list[tuple[str, list[str]]]:
        return [(tag, list(attributes)) for tag, attributes in Outline(page(text)).tags]

    assert shape(payload) == shape("harmless")
    if kind not in ("figure", "svg"):
        assert payload.replace("\u2028", "") in unescape(page(payload)).replace("\u2028", "")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_html_is_refused(payload: str) -> None:
    """If a writer ever forgets to escape, the gate refuses the page."""
    notebook = made(outputs=[displayed(text_html=f"<p title=\"{payload}\" class='{payload}'>{payload}</p>")])
    page = render(notebook)
    base = refusals(made(outputs=[displayed(text_html="<p title='x'>x</p>")]), page=render(made()), parameters={})
    assert set(refusals(notebook, page=page, parameters={})) - set(base)


# --- the gate -------------------------------------------------------------------------------------------------------


def test_a_complete_report_passes(notebook: Notebook) -> None:
    """A report that is whole, as asked and clean is let through, with or without a count of its figures."""
    page = render(notebook)
    gate(notebook, page=page, parameters=ASKED, figures_made=2)
    gate(notebook, page=page, parameters={**ASKED, "snapshot": "f" * 64})


def test_a_refusal_tells_all_reasons(notebook: Notebook) -> None:
    """The error has every reason, each a sentence, and its stage."""
    notebook.cells[-1].outputs = []
    with pytest.raises(GateRefused) as caught:
        gate(notebook, page=render(notebook), parameters={**ASKED, "period": "2026-08"}, figures_made=3)
    reasons = caught.value.data["reasons"]
    assert caught.value.data["stage"] == "gate"
    assert len(reasons) == 4
    assert all(reason in str(caught.value) and re.fullmatch(r"[A-Z].*\.", reason) for reason in reasons)


Change = Callable[[Notebook], None]


def _cell(notebook: Notebook, identifier: str) -> Any:
    return next(cell for cell in notebook.cells if cell.id == identifier)


def _output(notebook: Notebook, identifier: str, **data: Any) -> None:
    _cell(notebook, identifier).outputs.append(nbformat.from_dict(displayed(**data)))


def _set(notebook: Notebook, kind: str, **values: Any) -> None:
    mime = f"application/vnd.pmo.{kind}+json"
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if mime in output.data:
                output.data[mime].update(values)
                return


def _stream(notebook: Notebook, name: str) -> None:
    _cell(notebook, "step-3").outputs.append(nbformat.v4.new_output("stream", name=name, text="careful"))


def _swap_counts(notebook: Notebook) -> None:
    first, second = _cell(notebook, "step-3"), _cell(notebook, "step-5")
    first.execution_count, second.execution_count = second.execution_count, first.execution_count


def _drop_figures(notebook: Notebook) -> None:
    for cell in notebook.cells:
        cell.outputs = [output for output in cell.get("outputs", []) if PLOTLY not in output.data]


def _in_figure(notebook: Notebook, **layout: Any) -> None:
    output = next(output for output in _cell(notebook, "step-3").outputs if PLOTLY in output.data)
    output.data[PLOTLY].layout.update(layout)


BAD_NOTEBOOKS: dict[str, tuple[Change, str]] = {
    "a cell did not run": (
        lambda n: _cell(n, "step-5").__setitem__("execution_count", None), "Cell 6 was not executed."),
    "cells ran out of order": (_swap_counts, "Cell 4 was executed out of order: it was number 5, not 4."),
    "an error that was allowed": (
        lambda n: _cell(n, "step-3").outputs.append(
            nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])),
        "Cell 4 failed: ValueError: no."),
    "a warning": (lambda n: _stream(n, "stderr"), "Cell 4 wrote to stderr: 'careful'."),
    "a print": (lambda n: _stream(n, "stdout"), "Cell 4 wrote to stdout: 'careful'."),
    "a widget": (
        lambda n: _output(n, "step-3", **{"application_vnd.jupyter.widget-view+json": {}, "text_plain": "w"}),
        "Cell 4 has an output that a page cannot show: application/vnd.jupyter.widget-view+json."),
    "a script as output": (
        lambda n: _output(n, "step-3", application_javascript="alert(1)"),
        "Cell 4 has an output that a page cannot show: application/javascript."),
    "the wrong portfolio": (
        lambda n: _set(n, "echo", portfolio="south"), "The portfolio is 'south', but 'north' was asked for."),
    "the wrong organisation": (
        lambda n: _set(n, "echo", organisation="x"), "The organisation is 'x', but 'demo' was asked for."),
    "the wrong report": (
        lambda n: _set(n, "echo", report="outlook"), "The report is 'outlook', but 'health_check' was asked for."),
    "no echo": (lambda n: _cell(n, "step-1").outputs.clear(), "The notebook says 0 times what it is of"),
    "two echoes": (
        lambda n: _output(n, "step-3", **{"application_vnd.pmo.echo+json": {}, "text_plain": "e"}),
        "The notebook says 2 times what it is of"),
    "not published": (lambda n: _cell(n, "step-8").outputs.clear(), "The notebook published 0 times"),
    "published twice": (
        lambda n: _output(n, "step-8", **{"application_vnd.pmo.published+json": {}, "text_plain": "p"}),
        "The notebook published 2 times"),
    "an exhibit twice": (lambda n: _set(n, "exhibit", exhibit="costs"), "The exhibit 'costs' is shown 2 times."),
    "a figure that was promised": (_drop_figures, "The exhibits promise 2 figures, the notebook holds 0."),
    "a figure that was made": (_drop_figures, "The report made 2 figures, the notebook holds 0."),
    "a table that was promised": (
        lambda n: _cell(n, "step-3").outputs.pop(), "The exhibits promise 1 tables, the page shows 0."),
    "a number that is no JSON": (
        lambda n: _in_figure(n, height=450, x=float("nan")), "The data of figure-1 are no JSON: NaN is not a number"),
    "an infinite number": (
        lambda n: _in_figure(n, x=float("inf")), "The data of figure-1 are no JSON: Infinity is not a number"),
    "a picture from outside": (
        lambda n: _in_figure(n, images=[{"source": "https://example.org/a.png"}]),
        "figure-1 points to an external address: 'https://example.org/a.png'."),
    "a link in a chart": (
        lambda n: _in_figure(n, annotations=[{"text": '<a href="x">y</a>'}]), "figure-1 holds a link in its text"),
    "an offer to upload": (
        lambda n: _in_figure(n, meta={"plotlyServerURL": "https://chart-studio.plotly.com"}),
        "A figure may offer to upload its data"),
    "a secret in a cell": (
        lambda n: _cell(n, "step-5").__setitem__("source", 'api_key = "k3Jd82hsK2lP"'),
        "The page holds what looks like a secret; it is not repeated here."),
    "a secret in data": (
        lambda n: _output(n, "step-3", text_plain="ghp_" + "a1B2" * 9), "The page holds what looks like a secret"),
    "a path of this machine": (
        lambda n: _output(n, "step-3", text_plain=f"see {Path.cwd()}/data.csv"),
        "The page holds a path of this machine"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_NOTEBOOKS)
def test_the_gate_refuses_a_report_that(case: str, notebook: Notebook) -> None:
    """Each thing that may be wrong with an executed report is found, by the sentence that says so."""
    change, sentence = BAD_NOTEBOOKS[case]
    change(notebook)
    reasons = refusals(notebook, page=render(notebook), parameters=ASKED, figures_made=2)
    assert any(reason.startswith(sentence) for reason in reasons), reasons


BAD_PAGES: dict[str, tuple[Callable[[str], str], str]] = {
    "lost a figure": (
        lambda p: re.sub(r'<figure class="chart" id="figure-2".*?</figure>', "", p, flags=re.DOTALL),
        "The notebook holds 2 figures, the page 1."),
    "lost the data of a figure": (
        lambda p: p.replace('id="figure-2-data"', 'id="other"'), "The notebook holds 2 figures, the page 1."),
    "is of another portfolio": (
        lambda p: p.replace('name="pmo-portfolio" content="north"', 'name="pmo-portfolio" content="south"'),
        "The page does not carry the notebook's portfolio."),
    "has no policy": (
        lambda p: re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", p),
        "The page does not have exactly our content security policy."),
    "has a weaker policy": (
        lambda p: p.replace("script-src &#39;self&#39;", "script-src &#39;unsafe-inline&#39;"),
        "The page does not have exactly our content security policy."),
    "has two documents": (lambda p: p + p, "The page has 2 elements <html>, not one."),
    "is torn": (lambda p: p[: len(p) // 2], "The page has 0 page scripts, not one."),
    "lacks the library": (
        lambda p: p.replace(f'<script src="../assets/{asset_name()}"></script>', ""), "The page has 0 library scripts"),
    "takes the library from outside": (
        lambda p: p.replace("../assets/", "https://cdn.plot.ly/"), "The page has 0 library scripts, not one."),
    "has a changed script": (
        lambda p: p.replace("showSendToCloud: false", "showSendToCloud: true"),
        "The page has 0 page scripts, not one."),
    "runs a script": (
        lambda p: p.replace("</main>", "<script>alert(1)</script></main>"),
        "The page holds a script that is not ours: 'alert(1)'."),
    "runs a local file": (
        lambda p: p.replace("</main>", '<script src="../other.js"></script></main>'),
        "The page holds a script that is not ours: '../other.js'."),
    "runs a module": (
        lambda p: p.replace('id="page-script"', 'id="page-script" type="module"'),
        "The page has 0 page scripts, not one."),
    "handles an event": (
        lambda p: p.replace("<h1>", '<h1 onclick="alert(1)">'), "<h1> has the event handler onclick='alert(1)'."),
    "hides a handler in a comment": (
        lambda p: p.replace("<h1>", "<!-- <img src=x onerror=alert(1)> --><h1>"), "The page holds a comment"),
    "hides a handler in an attribute": (
        lambda p: p.replace("<h1>", '<h1 title="</noscript><img src=x onerror=alert(1)>">'),
        "An attribute holds a bare <."),
    "hides a handler in a noscript": (
        lambda p: p.replace("<h1>", "<noscript><img src=x onerror=alert(1)></noscript><h1>"),
        "The page holds <noscript> 3 times where 2 are ours."),
    "loads a picture": (
        lambda p: p.replace("<h1>", '<img src="https://example.org/p.png"><h1>'),
        "<img src> leads out of the published folder: 'https://example.org/p.png'."),
    "loads without a scheme": (
        lambda p: p.replace("<h1>", '<img src="//example.org/p.png"><h1>'),
        "<img src> leads out of the published folder"),
    "links outside": (
        lambda p: p.replace("<h1>", '<a href="https://example.org">x</a><h1>'),
        "<a href> leads out of the published folder"),
    "links to a script": (
        lambda p: p.replace("<h1>", '<a href=" java\nscript:alert(1)">x</a><h1>'),
        "<a href> leads out of the published folder"),
    "links to a file of the machine": (
        lambda p: p.replace("<h1>", '<a href="file:///etc/passwd">x</a><h1>'),
        "<a href> leads out of the published folder"),
    "embeds": (
        lambda p: p.replace("<h1>", '<iframe src="x.html"></iframe><h1>'), "The page holds an element <iframe>."),
    "has a base": (lambda p: p.replace("<title>", '<base href="x"><title>'), "The page holds an element <base>."),
    "has a form": (lambda p: p.replace("<h1>", "<form></form><h1>"), "The page holds an element <form>."),
    "links a style sheet": (
        lambda p: p.replace("<title>", '<link rel="stylesheet" href="a.css"><title>'),
        "The page holds an element <link>."),
    "refreshes itself": (
        lambda p: p.replace("<title>", '<meta http-equiv="refresh" content="0;url=x"><title>'),
        "The page holds <meta http-equiv='refresh'>."),
    "imports a style": (
        lambda p: p.replace("<style>", "<style>@import 'x.css';"),
        "A style sheet fetches something: \"@import 'x.css'"),
    "fetches from a style sheet": (
        lambda p: p.replace("<style>", "<style>h1 { background: url(https://example.org/a) }"),
        "A style sheet fetches something"),
    "fetches from a style": (
        lambda p: p.replace("<h1>", '<h1 style="background:url(//example.org/a)">'), "<h1> has a style that fetches"),
    "holds a document": (
        lambda p: p.replace("<h1>", '<p srcdoc="x"></p><h1>'), "<p> holds a document of its own."),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_PAGES)
def test_the_gate_refuses_a_page_that(case: str, notebook: Notebook) -> None:
    """Each thing that may be wrong with a finished page is found, by the sentence that says so."""
    change, sentence = BAD_PAGES[case]
    page = render(notebook)
    changed = change(page)
    assert changed != page
    reasons = refusals(notebook, page=changed, parameters=ASKED, figures_made=2)
    assert any(reason.startswith(sentence) for reason in reasons), reasons


def test_ordinary_words_are_no_reason(notebook: Notebook) -> None:
    """Data that speak of secrets, tokens, addresses and events in ordinary words pass."""
    words = (
        "Secret: none. Token ring, password reset programme; on site = 3; only = 5 <on> a/b c:d Passwords: 12. "
        "http://example.org is text, //shared drive, javascript: a language, 3 < 4 & 5 > 2, /opt and C:\\ are places"
    )
    _output(notebook, "step-3", text_plain=words)
    _in_figure(notebook, annotations=[{"text": words}])
    page = render(notebook)
    escaped = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    page = page.replace("<h1>", f'<p title="{escaped}">{escaped}</p><h1>')
    assert refusals(notebook, page=page, parameters=ASKED, figures_made=2) == []


SECRETS = (
    "AKIA" + "A1B2" * 4, "ASIA" + "A1B2" * 4, *(f"gh{kind}_" + "a1B2" * 9 for kind in "pousr"),
    "github_pat_" + "a1B2" * 9, "glpat-" + "a1B2" * 9, *(f"xox{kind}-" + "a1B2" * 9 for kind in "abprs"),
    "sk-" + "a1B2" * 9, "eyJhbGciOiJI.eyJzdWIiOiIx.", "-----BEGIN RSA PRIVATE KEY", "ftp://me:k3Jd82hs@host",
    *(f"{name}=k3Jd82hsK2lP" for name in (
        "passwd", "Password", "PASSWORD_2", "passphrase", "secret", "\u017fecret", "apikey", "API_KEY", "accesskey",
        "access_\u212aey", "token", "to\u212aen")),
)  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_every_shape_of_a_secret_is_a_reason(notebook: Notebook, secret: str) -> None:
    """A page is refused for each shape of a secret, in any case of the letters that a pattern takes for the same."""
    _output(notebook, "step-3", text_plain=f"see {secret}")
    reasons = refusals(notebook, page=render(notebook), parameters=ASKED, figures_made=2)
    assert reasons == ["The page holds what looks like a secret; it is not repeated here."]


@pytest.mark.parametrize("option", ["SENDDATATOCLOUD", "chart-\u017ftud\u0131o", "Plot.ly", "showsendtocloud: true",
                                    "plotlyServerURL': 'h"])  # fmt: skip
def test_every_offer_to_upload_is_a_reason(notebook: Notebook, option: str) -> None:
    """A page is refused for each option that would upload a figure's data, however its letters are written."""
    _in_figure(notebook, annotations=[{"text": option}])
    reasons = refusals(notebook, page=render(notebook), parameters=ASKED, figures_made=2)
    assert [reason.split(":")[0] for reason in reasons] == ["A figure may offer to upload its data"]


def test_a_hostile_name_does_not_stop_a_report(tmp_path: Path) -> None:
    """A report whose data hold a payload everywhere passes the gate, escaped; but a chart may not hold a link."""
    made_of = executed(tmp_path, *(("reports_completely", {"hostile": payload}) for payload in PAYLOADS))
    for payload, notebook in zip(PAYLOADS, made_of, strict=True):
        reasons = refusals(notebook, page=render(notebook), parameters=ASKED, figures_made=2)
        assert all("holds a link in its text" in reason for reason in reasons)
        assert bool(reasons) == payload.startswith("<a ")


def test_paths_can_be_cut_from_a_cause() -> None:
    """The cause of a failure is told without this machine's folders, so that the roll-up that tells it may pass."""
    here = Path(jobs.__file__)
    told = without_paths(f"ImportError: no x ({here}) in {here.parents[1]}/pmo_lib/a.py, not in /opt/b")
    assert told == "ImportError: no x (…/tests/jobs.py) in …/pmo_lib/a.py, not in /opt/b"


def test_the_machine_has_names_to_look_for() -> None:
    """Working folder, home, temporary folder, Python and the package are known by their full names."""
    roots = machine_roots()
    assert str(Path.cwd()) in roots
    assert str(Path(jobs.__file__).parents[1]) in roots
    assert "/" not in roots
