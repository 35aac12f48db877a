"""Sections of a portfolio's own: in its page and no other, from a notebook that stays as it is, or a clear refusal."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_house import PARAMETERS, PORTFOLIO_LINE, build
from test_notebooks import problems

from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.parameters.load import load_portfolios, load_reports, load_sections
from pmo_lib.parameters.models import Section
from pmo_lib.runner import Done, Request, run
from pmo_lib.sections import composed

ROOT = Path(__file__).resolve().parents[1]
CARE = """
id: HWY
sections:
  - name: care
    report: ratings
    slot: answer-1
    exhibits:
      - {id: who-rates, needs: [status], caption: One row a rating., supplier: 'raters'}
"""
BEGIN = (
    "from pmo_lib import report\nfrom pmo_lib.tables.html import Show, html_table\n\n"
    'book = report.begin(\n    "ratings", organisation=organisation, period=period, portfolio=portfolio,\n'
    '    snapshot=snapshot, overrides=overrides, section="care",\n)'
)
SOUND_ANSWER = 'raters = book.table("status")\nbook.show("who-rates", raters)'

Cell = dict[str, Any]


def cell(name: str, text: str, *, tags: tuple[str, ...] = ()) -> Cell:
    """Return one cell; a text that begins with # is a heading."""
    if text.startswith("#"):
        return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}
    metadata = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": metadata,
        "outputs": [],
        "source": text,
    }


def care() -> dict[str, Any]:
    """Return a sound section as a notebook."""
    cells = [
        cell("parameters", PARAMETERS.format(portfolio=PORTFOLIO_LINE), tags=("parameters",)),
        cell("begin", BEGIN),
        cell("who-question", "## Who says so?"),
        cell("who", SOUND_ANSWER),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def furnish(root: Path, *, notebook: dict[str, Any] | None = None, entry: str = CARE) -> Path:
    """Give the small house's portfolio HWY a section of its own."""
    (root / "parameters" / "demo" / "portfolios").mkdir(exist_ok=True)
    (root / "parameters" / "demo" / "portfolios" / "HWY.yml").write_text(entry, encoding="utf-8")
    (root / "notebooks" / "sections").mkdir(exist_ok=True)
    text = json.dumps(care() if notebook is None else notebook)
    (root / "notebooks" / "sections" / "care.ipynb").write_text(text, encoding="utf-8")
    return root


def run_ratings(root: Path, **more: Any) -> dict[str, Done]:
    """Run the report of all portfolios; return how each ended."""
    request = Request(organisation="demo", period="2026-09", reports=("ratings",), **more)
    done = run(request, root=root, outputs=root / "outputs", tell=lambda *_: None)
    return {one.portfolio: one for one in done}


def digest(path: Path) -> str:
    """Return the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def page(root: Path, portfolio: str) -> Path:
    """Return the page of a portfolio."""
    return root / "outputs" / "demo" / "2026-09" / portfolio / "ratings.html"


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The small house as it is, and with a section for HWY; both run."""
    plain, own = build(tmp_path_factory.mktemp("plain")), furnish(build(tmp_path_factory.mktemp("own")))
    for root in (plain, own):
        assert {one.status for one in run_ratings(root).values()} == {"published"}
    return plain, own


def test_the_section_stands_in_its_slot(houses: tuple[Path, Path]) -> None:
    """The page has the section after its slot, with its heading in the contents; the results say that it was shown."""
    text = page(houses[1], "HWY").read_text(encoding="utf-8")
    contents = re.findall(r'<li class="level-2"><a href="#[\w-]+">([^<]*)</a>', text)
    assert contents[-2:] == ["Who says so?", "Question 2?"]
    assert "Who says so?" not in page(houses[0], "HWY").read_text(encoding="utf-8")
    assert "One row a rating. Status date" in text


def test_nothing_else_changes(houses: tuple[Path, Path]) -> None:
    """The report's notebook keeps its digest and every other portfolio's page its bytes; no copy is left behind."""
    plain, own = houses
    assert digest(own / "notebooks" / "ratings.ipynb") == digest(plain / "notebooks" / "ratings.ipynb")
    for portfolio in ("ICT", "SCH"):
        assert digest(page(own, portfolio)) == digest(page(plain, portfolio))
    assert digest(page(own, "HWY")) != digest(page(plain, "HWY"))
    assert not [path for path in (own / "outputs").rglob("*.ipynb") if "archive" not in path.parts]


def test_both_run_by_hand(houses: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The section runs as it is, and so does the report's notebook of a portfolio that has one."""
    root = houses[1]
    monkeypatch.setenv("PMO_ROOT", str(root))
    monkeypatch.setenv("PMO_OUTPUTS", str(root / "outputs"))
    for name, shown in (("sections/care", ["who-rates"]), ("ratings", ["ratings"])):
        cells = json.loads((root / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        names: dict[str, Any] = {}
        for each in cells:
            if each["cell_type"] == "code":
                exec("".join(each["source"]), names)  # noqa: S102 (our own notebooks)
        assert names["portfolio"] == "HWY"
        assert names["book"].shown == shown


# --- what is refused ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small house with a section, not run."""
    return furnish(build(tmp_path_factory.mktemp("house")))


def section(**changes: Any) -> Section:
    """Return the entry of the sound section with some keys replaced."""
    exhibits = [{"id": "who-rates", "needs": ["status"], "caption": "c", "supplier": "s"}]
    own = {"name": "care", "report": "ratings", "slot": "answer-1", "exhibits": exhibits}
    return Section.model_validate(own | changes)


def _code(text: str, *, at: int = 3) -> Callable[[list[Cell]], object]:
    return lambda cells: cells[at].update(source=f"{text}\n{cells[at]['source']}")


def _set(at: int, **what: object) -> Callable[[list[Cell]], object]:
    return lambda cells: cells[at].update(what)


BROKEN: tuple[tuple[Callable[[list[Cell]], object], str], ...] = (
    (_code("x = [n for n in raters]"), "ListComp is logic"),
    (_code("for n in raters:\n    x = n"), "For is logic"),
    (_code("x = (1"), "a cell is not Python"),
    (_code("\n".join(f"x{n} = 1" for n in range(5))), "who has 7 lines, above 6"),
    (_code("import os"), "who imports, begins or publishes"),
    (_code("book.publish(figures=raters, tables={})"), "who imports, begins or publishes"),
    (_set(3, source="raters = 1"), "who shows nothing"),
    (_set(3, source='book.show("ratings", 1)'), "it shows ['ratings'], but its entry lists ['who-rates']"),
    (_set(2, source="## Who says so."), "no heading that asks the reader's question"),
    (_set(2, cell_type="raw"), "who-question is a raw cell"),
    (_set(3, execution_count=2), "who has stored outputs"),
    (_set(3, metadata={"tags": ["raises-exception"]}), "who is hidden, skipped or allowed to fail"),
    (_set(3, metadata={"tags": ["parameters"]}), "2 cells are tagged parameters"),
    (
        _set(1, source='book = report.begin("whole", section="care")'),
        "its first cell must end with book = report.begin",
    ),
    (_set(1, source='book = report.begin("ratings")'), "section='care'"),
    (lambda cells: cells.__delitem__(slice(1, 4)), "no cell that begins the report"),
    (_code("status = 1"), "it uses the name 'status', which the report's own cells use"),
    (_code("import json as pd", at=1), "it uses the name 'pd'"),
    (
        lambda cells: cells.extend(
            each for n in range(14) for each in (cell(f"q{n}", "## And?"), cell(f"a{n}", "book.kpis(raters)"))
        ),
        "16 code cells with 16 lines, above 14",
    ),
)


@pytest.mark.parametrize(("change", "problem"), BROKEN, ids=[problem for _, problem in BROKEN])
def test_what_is_no_section_is_refused(
    change: Callable[[list[Cell]], object], problem: str, house: Path, tmp_path: Path
) -> None:
    """A notebook that breaks the rules of notebooks, or would change what the report's own cells do, is refused."""
    notebook = copy.deepcopy(care())
    change(notebook["cells"])
    core = tmp_path / "ratings.ipynb"
    core.write_bytes((house / "notebooks" / "ratings.ipynb").read_bytes())
    (tmp_path / "sections").mkdir()
    (tmp_path / "sections" / "care.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    with pytest.raises(ParameterError, match="section care: .*" + re.escape(problem)):
        composed(core, sections=[section()])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"slot": "answer-9"}, "ratings has no slot 'answer-9': did you mean 'answer-"),
        ({"slot": "parameters"}, "ratings has no slot 'parameters'"),
        ({"slot": "answer-2"}, "ratings has no slot 'answer-2'"),
        ({"name": "cares"}, "there is no notebook 'cares' in notebooks/sections"),
    ],
)
def test_an_entry_that_leads_nowhere_is_refused(changes: dict[str, str], problem: str, house: Path) -> None:
    """An unknown slot, one before the report begins or after it published, or an unknown notebook is named."""
    with pytest.raises(ParameterError, match=problem):
        composed(house / "notebooks" / "ratings.ipynb", sections=[section(**changes)])


@pytest.mark.parametrize("name", ["../ratings", "/etc/passwd", "a/b", "..", ""])
def test_no_name_leads_out_of_the_folder(name: str, house: Path) -> None:
    """A name with a path in it is refused with the parameters, and would be refused again where it is opened."""
    (house / "parameters" / "demo" / "portfolios" / "ICT.yml").write_text(
        CARE.replace("HWY", "ICT").replace("name: care", f"name: '{name}'"), encoding="utf-8"
    )
    try:
        with pytest.raises(ParameterError, match=r"ICT\.yml, line 4, sections\.0\.name"):
            load_sections(house, org="demo", portfolio="ICT", report="ratings")
    finally:
        (house / "parameters" / "demo" / "portfolios" / "ICT.yml").unlink()
    if name.startswith(".."):
        sly = section().model_copy(update={"name": "../../outside/x"})
        with pytest.raises(StoreError, match="leads outside sections"):
            composed(house / "notebooks" / "ratings.ipynb", sections=[sly])


def test_two_sections_of_a_slot_keep_their_order(house: Path) -> None:
    """Sections of one slot stand in the order of the portfolio's file, and no cell id stands twice."""
    second = json.dumps(care()).replace("care", "more").replace("who-rates", "more-rates").replace("raters", "those")
    (house / "notebooks" / "sections" / "more.ipynb").write_text(second, encoding="utf-8")
    exhibits = [{"id": "more-rates", "needs": [], "caption": "c", "supplier": "s"}]
    both = [section(name="more", exhibits=exhibits), section()]
    cells = json.loads(composed(house / "notebooks" / "ratings.ipynb", sections=both))["cells"]
    ids = [each["id"] for each in cells]
    start = ids.index("answer-1") + 1
    assert ids[start : start + 6] == [
        "more-begin", "more-who-question", "more-who", "care-begin", "care-who-question", "care-who",
    ]  # fmt: skip
    assert len(ids) == len(set(ids))
    assert cells[start]["source"].endswith("book.section('more')")


def bad_houses(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Yield houses whose section fails when it is run, and with what."""
    taken = json.loads(json.dumps(care()).replace("who-rates", "ratings"))
    yield (
        furnish(build(folder / "a"), notebook=taken, entry=CARE.replace("who-rates", "ratings")),
        "notebook",
        "already",
    )
    yield furnish(build(folder / "b"), entry=CARE.replace("answer-1", "nowhere")), "notebook", "no slot 'nowhere'"


def test_a_bad_section_stops_its_own_page_alone(tmp_path: Path) -> None:
    """An exhibit id that is taken, or an unknown slot, fails that portfolio's report with its cause, and no other."""
    for root, stage, cause in bad_houses(tmp_path):
        ended = run_ratings(root)
        assert (ended["HWY"].status, ended["HWY"].stage) == ("failed", stage)
        assert cause in ended["HWY"].cause
        assert {ended[name].status for name in ("ICT", "SCH")} == {"published"}


def test_a_section_of_no_report_stops_the_run(tmp_path: Path) -> None:
    """A section of a report that there is not would never be seen: nothing is run before that is mended."""
    root = furnish(build(tmp_path), entry=CARE.replace("report: ratings", "report: rating"))
    with pytest.raises(ParameterError, match="portfolio HWY, section care: unknown report 'rating'"):
        run_ratings(root)


# --- the project's own ----------------------------------------------------------------------------------------


OWN = [
    (org.parent.name, portfolio, section)
    for org in sorted((ROOT / "parameters").glob("*/organisation.yml"))
    for portfolio in load_portfolios(ROOT, org=org.parent.name).values()
    for section in portfolio.sections
]


def test_every_section_notebook_has_its_entry() -> None:
    """notebooks/sections holds exactly what the portfolios of this project name."""
    assert {path.stem for path in (ROOT / "notebooks" / "sections").glob("*.ipynb")} == {own.name for *_, own in OWN}


@pytest.mark.parametrize(("org", "portfolio", "own"), OWN, ids=[own.name for *_, own in OWN])
def test_our_sections_keep_the_lint_of_notebooks(org: str, portfolio: Any, own: Section) -> None:
    """With a cell that publishes, a section passes the lint of the reports' notebooks, and it fits its report."""
    notebook = json.loads((ROOT / "notebooks" / "sections" / f"{own.name}.ipynb").read_text(encoding="utf-8"))
    notebook["cells"].append(cell("publish", "book.publish(figures=figures, tables={})"))
    assert not list(problems(notebook, name=own.report, exhibits=[each.id for each in own.exhibits]))
    assert own in load_sections(ROOT, org=org, portfolio=portfolio.id, report=own.report)
    assert own.name in composed(ROOT / "notebooks" / f"{own.report}.ipynb", sections=[own]).decode()
    taken = [exhibit.id for exhibit in load_reports(ROOT).named(own.report).exhibits]
    assert not set(taken) & {exhibit.id for exhibit in own.exhibits}
