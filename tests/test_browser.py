"""Pages in a browser: opened from disk with the network cut, they draw every chart and run nothing but our scripts."""

from __future__ import annotations

import re
from pathlib import Path

import jobs
import pandas as pd
import pytest
from browser import Browsing, Visit
from test_render import PAYLOADS, displayed, made

from pmo_lib.render.charts import write_assets
from pmo_lib.render.page import render
from pmo_lib.tables.html import Show, html_table
from pmo_lib.workers import Workers

pytestmark = pytest.mark.browser

REPORT = "reports_completely"
HOSTILE = [" ".join(PAYLOADS[first::4]) for first in range(4)]  # a page for every three payloads or so
TOUCH_ALL = """() => document.querySelectorAll('main *').forEach(element =>
    ['mouseover', 'mouseenter', 'focus', 'toggle', 'load', 'error', 'click'].forEach(kind =>
        element.dispatchEvent(new MouseEvent(kind, {bubbles: kind === 'click'}))))"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published folder: pages of fixture notebooks and of hostile data, plotly.js beside them."""
    folder = tmp_path_factory.mktemp("2026-09")
    wanted = [
        jobs.Wanted(name, "pmo", folder / f"{name}.ipynb") for name in (REPORT, "draws_figures", "shows_rich_output")
    ]
    wanted += [
        jobs.Wanted(REPORT, "pmo", folder / f"hostile-{number}.ipynb", {"hostile": payload})
        for number, payload in enumerate(HOSTILE)
    ]
    (folder / "north").mkdir()
    for outcome in Workers(warm=jobs.WARM).run(jobs.run_notebook, jobs=wanted):
        page = folder / "north" / outcome.job.output.with_suffix(".html").name
        page.write_text(outcome.value.page, encoding="utf-8")
    write_assets(folder / "assets")
    return folder


def changed(published: Path, *, old: str, new: str, name: str) -> Path:
    """Write a changed copy of the report's page beside it."""
    text = (published / "north" / f"{REPORT}.html").read_text(encoding="utf-8")
    assert old in text
    path = published / "north" / f"{name}.html"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "charts"), [(REPORT, 2), ("draws_figures", 3), ("shows_rich_output", 0)])
@pytest.mark.parametrize("width", [1440, 400])
def test_every_chart_is_drawn(name: str, charts: int, width: int, published: Path, browsing: Browsing) -> None:
    """Every figure becomes a chart, wide or narrow, without an error and without a request beyond the folder."""
    with browsing.open(published / "north" / f"{name}.html", folder=published, width=width) as visit:
        assert visit.count(".plot[data-drawn=yes] .main-svg >> nth=0") == min(charts, 1)
        assert visit.count(".plot[data-drawn=yes]") == charts
        assert visit.errors == []
        assert visit.outside == []
        assert visit.value("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
        for chart in range(charts):
            box = visit.page.locator(".plot .main-svg").nth(chart).bounding_box()
            assert box is not None
            assert box["width"] <= width


def test_bars_are_as_high_as_their_data(published: Path, browsing: Browsing) -> None:
    """What is drawn is what the notebook held: two bars in the first chart, with gaps where data are null."""
    with browsing.open(published / "north" / f"{REPORT}.html", folder=published) as visit:
        assert visit.count("#figure-1 .bars .point") == 2
        heights = visit.value(
            "[...document.querySelectorAll('#figure-1 .bars .point path')].map(p => p.getBBox().height)"
        )
        assert heights[1] / heights[0] == pytest.approx(5 / 2, rel=0.02)
        assert visit.value("document.querySelector('#figure-2-plot').data[0].y[1]") is None


def test_no_chart_offers_to_leave(published: Path, browsing: Browsing) -> None:
    """No button of a chart uploads it, edits it elsewhere or leads to its maker."""
    with browsing.open(published / "north" / f"{REPORT}.html", folder=published) as visit:
        titles = visit.value(
            "[...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title || b.ariaLabel || '')"
        )
        assert titles
        assert not [title for title in titles if re.search(r"share|cloud|edit|studio|produced", title, re.IGNORECASE)]
        assert visit.count(".modebar a[href]") == 0


def test_a_page_can_be_read_without_javascript(published: Path, browsing: Browsing) -> None:
    """Without JavaScript headings, tables, sentences and one line for each chart are there."""
    with browsing.open(published / "north" / f"{REPORT}.html", folder=published, javascript=False) as visit:
        assert visit.page.locator("noscript p").all_inner_texts() == [
            "The chart “Ratings” is drawn by JavaScript, which is off here.",
            "The chart “Costs” is drawn by JavaScript, which is off here.",
        ]
        assert visit.page.locator("table").first.is_visible()
        assert visit.page.locator("p.missing", has_text="Missing: risks").is_visible()
        assert visit.outside == []


def test_a_page_says_when_the_library_is_missing(published: Path, browsing: Browsing, tmp_path: Path) -> None:
    """A page that was copied without its assets says in each chart's place that it cannot be drawn."""
    alone = tmp_path / "alone.html"
    alone.write_bytes((published / "north" / f"{REPORT}.html").read_bytes())
    alone.write_text(alone.read_text(encoding="utf-8").replace('class="plot"', 'class="place"'), encoding="utf-8")
    with browsing.open(alone, folder=tmp_path.parent) as visit:
        assert (
            visit.page.locator("figure .missing").all_inner_texts()
            == ["This chart cannot be drawn: the file of the chart library is not beside the page."] * 2
        )


def test_code_is_folded_until_asked_for(published: Path, browsing: Browsing) -> None:
    """Code is hidden, and one click shows it."""
    with browsing.open(published / "north" / f"{REPORT}.html", folder=published) as visit:
        code = visit.page.locator("details.code").nth(1)
        assert not code.locator("pre").is_visible()
        code.locator("summary").click()
        assert code.locator("pre").is_visible()


def test_contents_lead_to_their_headings(published: Path, browsing: Browsing) -> None:
    """A click in the table of contents brings its question into view; the keyboard reaches the report at once."""
    with browsing.open(published / "north" / f"{REPORT}.html", folder=published) as visit:
        visit.page.keyboard.press("Tab")
        assert visit.value("document.activeElement.className") == "skip"
        visit.page.get_by_role("link", name="What is missing?").click()
        assert visit.value("location.hash") == "#what-is-missing"
        visit.page.wait_for_function(
            "() => document.querySelector('#what-is-missing').getBoundingClientRect().top < 900"
        )


def test_figures_behind_a_chart_are_printed(published: Path, browsing: Browsing) -> None:
    """On paper, folded tables are open; afterwards they are folded again."""
    path = changed(
        published,
        old="<h2 id=",
        new="<details class='data'><summary>s</summary><p>behind</p></details><h2 id=",
        name="folded",
    )
    with browsing.open(path, folder=published) as visit:
        assert not visit.page.get_by_text("behind").is_visible()
        visit.value("window.dispatchEvent(new Event('beforeprint'))")
        assert visit.page.get_by_text("behind").is_visible()
        visit.value("window.dispatchEvent(new Event('afterprint'))")
        assert not visit.page.get_by_text("behind").is_visible()


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_data_run_nothing(number: int, published: Path, browsing: Browsing) -> None:
    """No payload in any place of a report runs, even when everything on the page is clicked and passed over."""
    with browsing.open(published / "north" / f"hostile-{number}.html", folder=published) as visit:
        assert visit.count(".plot[data-drawn=yes]") == 2
        assert visit.errors == []
        visit.value(TOUCH_ALL)
        visit.page.wait_for_timeout(100)
        assert visit.value("window.ran") is None
        assert visit.outside == []


INJECTED = {
    "an event handler": '<img src="data:image/png;base64,x" onerror="window.ran=1"><h1>',
    "an inline script": "<script>window.ran=1</script><h1>",
    "a script address": '<a id="bait" href="javascript:window.ran=1">x</a><h1>',
}


@pytest.mark.parametrize("case", INJECTED)
def test_the_policy_blocks_what_slips_in(case: str, published: Path, browsing: Browsing) -> None:
    """If markup ever passes writer and gate, the content security policy still runs none of it from disk."""
    path = changed(published, old="<h1>", new=INJECTED[case], name=f"injected-{len(case)}")
    with browsing.open(path, folder=published) as visit:
        if visit.count("#bait"):
            visit.page.locator("#bait").click()
        visit.page.wait_for_timeout(200)
        assert visit.value("window.ran") is None
        assert any("Content Security Policy" in line for line in visit.told)
        assert visit.count(".plot[data-drawn=yes]") == 2, "our own scripts still run"


def test_the_policy_fetches_nothing(published: Path, browsing: Browsing) -> None:
    """A page cannot call home: a fetch from inside is refused by the policy, not only by the missing network."""
    with browsing.open(published / "north" / f"{REPORT}.html", folder=published) as visit:
        answer = visit.value("fetch('https://example.org/').then(() => 'sent', error => error.message)")
        assert answer != "sent"
        assert any("violates" in line and "default-src" in line for line in visit.told)


# --- tables that can be sifted --------------------------------------------------------------------------------------

REGISTER = pd.DataFrame(
    [
        ("Alpha", "open", 9.0, "", "2026-11-02", "severe", "Zoë"),
        ("Bravo", "closed", 10.0, "", "2026-02-11", "low", "Yan"),
        ("Charlie", "open", None, "not priced", None, "medium", None),
        ("Delta", "open", -2e6, "", "2027-01-01", None, "Zoë"),
        (PAYLOADS[2], "open", 10.0, "", "2025-12-31", "high", PAYLOADS[0]),
    ],
    columns=["title", "status", "cost", "why", "due_on", "grade", "owner"],
)
SIFTED = [
    Show("title", "Title"),
    Show("status", "Status", choice=True),
    Show("cost", "Cost", "money_signed", "why"),
    Show("due_on", "Due", "day"),
    Show("grade", "Grade", "rating"),
    Show("owner", "Owner", choice=True),
]
ROWS = "[...document.querySelectorAll('.sifted tbody tr')]"
SEEN = f"{ROWS}.filter(row => row.checkVisibility()).map(row => row.dataset.n)"
NUMBER = f"{ROWS}.forEach((row, at) => row.dataset.n = 'ABCDE'[at])"
HEADS = "[...document.querySelectorAll('.sifted thead th')].map(head => head.getAttribute('aria-sort'))"


@pytest.fixture(scope="module")
def sifted(published: Path) -> Path:
    """A page with one table that can be sifted, of five rows A to E."""
    table = html_table(REGISTER, columns=SIFTED, caption="The register", sifted=True)
    page = render(made(("markdown", "## Which?"), outputs=[displayed(text_html=table.html)]))
    path = published / "north" / "sifted.html"
    path.write_text(page, encoding="utf-8")
    return path


def order(visit: Visit) -> str:
    """Return the rows that are seen, in their order."""
    return "".join(visit.value(SEEN))


def head(visit: Visit, name: str) -> None:
    """Press a column's heading."""
    visit.page.locator(".sifted thead button", has_text=name).click()


def test_rows_are_sorted_by_value(sifted: Path, published: Path, browsing: Browsing) -> None:
    """A heading sorts by value up, down and back, by mouse and keyboard; null is last both ways, equals keep order."""
    wanted = {"Cost": ("DABEC", "BEADC"), "Due": ("EBADC", "DABEC"), "Grade": ("BCEAD", "AECBD"),
              "Status": ("BACDE", "ACDEB")}  # fmt: skip
    with browsing.open(sifted, folder=published) as visit:
        visit.value(NUMBER)
        count = visit.page.locator(".sift .count")
        for name, (up, down) in wanted.items():
            for way, rows in (("ascending", up), ("descending", down)):
                head(visit, name)
                assert order(visit) == rows, name
                assert [one for one in visit.value(HEADS) if one] == [way]
                assert count.inner_text() == f"5 of 5 rows, by {name} {way}"
            head(visit, name)
            assert order(visit) == "ABCDE", name
            assert not any(visit.value(HEADS))
        assert visit.page.get_by_text("not priced").is_visible()
        for name in ("Due", "Status"):
            visit.page.locator(".sifted thead button", has_text=name).focus()
            visit.page.keyboard.press("Enter")
        assert order(visit) == "BEADC", "the rows of one status stand by day"
        assert visit.value(HEADS) == [None, "ascending", None, None, None, None]
        assert visit.value("document.activeElement.textContent") == "Status", "the focus stays where it was"


def test_rows_are_searched_and_chosen(sifted: Path, published: Path, browsing: Browsing) -> None:
    """All words of a search must stand in a row, a choice narrows further, the count is live; paper holds all rows."""
    with browsing.open(sifted, folder=published) as visit:
        visit.value(NUMBER)
        count = visit.page.locator(".sift [role=status][aria-live=polite]")
        search = visit.page.get_by_role("searchbox", name="Search")
        assert count.inner_text() == "5 of 5 rows"
        search.fill("ZOE open")
        assert order(visit) == "AD"
        assert count.inner_text() == "2 of 5 rows; on paper all"
        visit.page.emulate_media(media="print")
        assert order(visit) == "ABCDE"
        assert not visit.page.locator(".sift").is_visible()
        visit.page.emulate_media(media="screen")
        search.fill("")
        visit.page.get_by_label("Status").select_option(label="open (4)")
        visit.page.get_by_label("Owner").select_option(label="not stated (1)")
        assert order(visit) == "C"
        search.fill("nowhere")
        assert count.inner_text() == "0 of 5 rows; on paper all"
        visit.page.get_by_role("button", name="Reset").click()
        assert order(visit) == "ABCDE"


@pytest.mark.parametrize("width", [1440, 400])
def test_sifting_runs_nothing_and_fits(width: int, sifted: Path, published: Path, browsing: Browsing) -> None:
    """Hostile text in a cell or an option stays text, and the controls fit a narrow window."""
    with browsing.open(sifted, folder=published, width=width) as visit:
        assert f"{PAYLOADS[0]} (1)" in visit.page.get_by_label("Owner").locator("option").all_inner_texts()
        visit.page.get_by_label("Owner").select_option(label=f"{PAYLOADS[0]} (1)")
        visit.value(TOUCH_ALL)
        assert visit.value("window.ran") is None
        assert visit.errors == []
        assert visit.value("document.documentElement.scrollWidth") <= width


def test_without_a_script_the_table_is_whole(sifted: Path, published: Path, browsing: Browsing) -> None:
    """Without JavaScript every row is there, and nothing that would not work."""
    with browsing.open(sifted, folder=published, javascript=False) as visit:
        assert visit.page.locator(".sifted tbody tr").count() == len(REGISTER)
        assert visit.page.locator("button, input, select").count() == 0


def test_paper_loses_no_column(published: Path, browsing: Browsing, tmp_path: Path) -> None:
    """Each row of a table wider than paper is printed as a list of heading and cell; a narrow table stays a table."""
    wide = pd.DataFrame({f"column{at}": [f"cell{at}-{'x' * 20}"] for at in range(12)})
    tables = [
        html_table(rows, columns=[Show(name, f"{name} of it") for name in rows.columns], caption="T").html
        for rows in (wide, wide[["column0", "column1"]])
    ]
    path = published / "north" / "wide.html"
    path.write_text(render(made(outputs=[displayed(text_html="".join(tables))])), encoding="utf-8")
    with browsing.open(path, folder=published) as visit:
        visit.page.pdf(path=tmp_path / "wide.pdf", format="A4")
        assert [table.get_attribute("class") for table in visit.page.locator("table").all()] == ["listed", None]
        visit.page.emulate_media(media="print")
        last = visit.page.locator(".listed td").last
        before = "element => getComputedStyle(element, '::before').content"
        assert last.evaluate(before) == '"column11 of it: "'
        box = last.bounding_box()
        assert box is not None
        assert box["width"] > 0
