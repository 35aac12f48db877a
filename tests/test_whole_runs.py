"""Whole runs at full size: the real portfolios of six years, and the demo."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from pydantic import ValidationError

from pmo_lib.parameters.load import load_organisation
from pmo_lib.parameters.models import Organisation
from pmo_lib.results import read

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from browser import Browsing

pytestmark = pytest.mark.slow
PERIODS = {"2019-09": 125, "2022-03": 235, "2025-03": 213}  # of the six that are ingested; each a hundred pages or so
FILES = {
    "2019-09": ("gmpp_2019_20.csv", "latin-1"), "2021-03": ("gmpp_2020_21.csv", "cp1252"),
    "2022-03": ("gmpp_2021_22.csv", "utf-8-sig"), "2023-03": ("gmpp_2022_23.csv", "utf-8-sig"),
    "2024-03": ("gmpp_2023_24.csv", "utf-8-sig"), "2025-03": ("gmpp_2024_25.csv", "utf-8-sig"),
}  # fmt: skip
ROOT = Path(__file__).parents[1]
REPORTS = ("health_check", "financial_outlook", "risk_register")


def pmo(outputs: Path, *arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command as a scheduler would."""
    environment = {**os.environ, "PMO_OUTPUTS": str(outputs), "PMO_ROOT": str(root)}
    command = [sys.executable, "-m", "pmo_lib.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def outputs(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All six periods of the real organisation ingested; the first, one between and the last reported."""
    folder = tmp_path_factory.mktemp("whole")
    taken = pmo(folder, "ingest", str(real_data / "uk_gmpp"), "--org", "uk_gmpp", "--period", "all")
    assert taken.returncode == 0, taken.stderr
    for period in PERIODS:
        summary = str(folder / f"{period}.json")
        done = pmo(folder, "run", "--org", "uk_gmpp", "--period", period, "--summary", summary)
        assert done.returncode == 0, done.stderr[-4000:]
    return folder


def rows_of(real_data: Path, *, period: str) -> list[dict[str, str]]:
    """Read a file with nothing but the csv module: id, department and whole-life cost of each project."""
    name, encoding = FILES[period]
    text = (real_data / "uk_gmpp" / name).read_text(encoding=encoding)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if period == "2019-09":
        rows = [list(column) for column in zip(*rows, strict=True)]
    heads = [" ".join(cell.split()).casefold() for cell in rows[0]]
    wanted = {"id": "gmpp id", "department": "department",
              "plan": "financial year baseline",
              "outlook": "financial year forecast",
              "cost": ("total baseline whole life", "whole life cost")}  # fmt: skip
    places = {
        key: [_begins(head, start, exact=key == "department") for head in heads].index(True)
        for key, start in wanted.items()
    }
    kept = [row for row in rows[1:] if row[places["id"]].strip()]
    return [{key: row[place].strip() for key, place in places.items()} for row in kept]


def _begins(head: str, start: str | tuple[str, ...], *, exact: bool) -> bool:
    return head == start if exact else head.startswith(start)


def millions(text: str) -> float | None:
    """Return a plain amount such as ``£1,234.5m``; None for anything else."""
    bare = text.replace("£", "").replace(",", "").removesuffix("m").strip()
    return float(bare) if re.fullmatch(r"-?\d+(\.\d+)?", bare) else None


def rollup(outputs: Path, *, period: str) -> Any:
    """Return what the roll-up of a period published."""
    return read(outputs / "uk_gmpp" / period / "portfolio_rollup.json")


@pytest.mark.real
class TestRealPortfolios:
    """Six years of portfolios that nobody here wrote."""

    @pytest.mark.parametrize("period", PERIODS)
    def test_every_department_gets_its_reports(self, outputs: Path, real_data: Path, period: str) -> None:
        """Each department of the file has its three pages and results, and no report failed."""
        departments = {row["department"].upper().replace(" & ", "-") for row in rows_of(real_data, period=period)}
        summary = json.loads((outputs / f"{period}.json").read_text())["reports"]
        assert {one["status"] for one in summary} == {"published"}
        assert {one["portfolio"] for one in summary if one["as_of"] == period} - {""} == departments
        for department in departments:
            for report in REPORTS:
                assert (outputs / "uk_gmpp" / period / department / f"{report}.html").stat().st_size > 20_000

    @pytest.mark.parametrize("period", PERIODS)
    def test_rollup_totals_equal_plain_sums(self, outputs: Path, real_data: Path, period: str) -> None:
        """Projects, whole-life cost and in-year money of the roll-up equal sums made with the csv module alone."""
        rows = rows_of(real_data, period=period)
        figures = rollup(outputs, period=period).figures.set_index("name")["value"]
        costs = [millions(row["cost"]) for row in rows]
        both = [(millions(row["plan"]), millions(row["outlook"])) for row in rows]
        paired = [(plan, outlook) for plan, outlook in both if plan is not None and outlook is not None]
        assert len(rows) == PERIODS[period] == figures["projects"]
        assert figures["whole_life_cost"] == pytest.approx(sum(c for c in costs if c is not None) * 1e6, abs=0.5)
        assert figures["in_year_plan"] == pytest.approx(sum(plan for plan, _ in paired) * 1e6, abs=0.5)
        assert figures["in_year_outlook"] == pytest.approx(sum(outlook for _, outlook in paired) * 1e6, abs=0.5)

    def test_portfolio_sums_equal_plain_sums(self, outputs: Path, real_data: Path) -> None:
        """Each department's published whole-life cost is the csv module's sum of its own rows."""
        period = "2025-03"
        sums: dict[str, float] = defaultdict(float)
        for row in rows_of(real_data, period=period):
            sums[row["department"].upper()] += millions(row["cost"]) or 0.0
        for department, total in sums.items():
            results = read(outputs / "uk_gmpp" / period / department / "financial_outlook.json")
            now = results.tables["whole_life_cost"]["now"].astype(float).sum()
            assert now == pytest.approx(total * 1e6, abs=0.5), department

    def test_pages_open_without_network(self, outputs: Path, browsing: Browsing) -> None:
        """Three departments' pages open from disk with the network cut: all charts drawn, no error, no request."""
        for department in ("DFT", "MOD", "DESNZ"):
            for report in REPORTS:
                page = outputs / "uk_gmpp" / "2025-03" / department / f"{report}.html"
                with browsing.open(page, folder=outputs) as visit:
                    assert visit.errors == [], (department, report)
                    assert visit.outside == [], (department, report)
                    charts = visit.count("figure.chart")
                    assert visit.count("figure.chart .plot[data-drawn=yes]") == charts
                    assert charts > 0 or report == "risk_register"
                    assert visit.value("document.documentElement.scrollWidth <= window.innerWidth")

    def test_printed_tables_keep_their_names(self, outputs: Path, browsing: Browsing) -> None:
        """On A4 the name that heads a row of a wide table has room for words: it is not broken letter by letter."""
        page = outputs / "uk_gmpp" / "2025-03" / "MOD" / "financial_outlook.html"
        with browsing.open(page, folder=outputs) as visit:
            visit.page.emulate_media(media="print")
            visit.page.set_viewport_size({"width": 700, "height": 1000})
            narrowest = "Math.min(...[...document.querySelectorAll('tbody th')].map(cell => cell.offsetWidth))"
            assert visit.value(narrowest) >= 90

    def test_second_run_writes_the_same_bytes(self, outputs: Path) -> None:
        """Running some portfolios again with one worker writes every page and result byte for byte as before.

        But for the record, which tells of the runs that are in the archive since.
        """
        folder = outputs / "uk_gmpp" / "2022-03"

        def written() -> dict[Path, bytes]:
            paths = [path for path in folder.rglob("*") if path.is_file() and path.stem != "edition_record"]
            return {path: path.read_bytes() for path in paths}

        before = written()
        again = ["--again"] + [word for name in ("DFT", "MOD", "HO") for word in ("--portfolio", name)]
        assert pmo(outputs, "run", "--org", "uk_gmpp", "--period", "2022-03", "--jobs", "1", *again).returncode == 0
        assert written() == before


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo at full size: a copy of what ``make demo`` wrote where PMO_DEMO names it, else made by the command."""
    folder = tmp_path_factory.mktemp("demo") / "outputs"
    if made := os.environ.get("PMO_DEMO"):
        return Path(shutil.copytree(made, folder))
    done = pmo(folder, "demo")
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def test_demo_pages_open_at_every_width(demo: Path, browsing: Browsing) -> None:
    """Indexes, roll-up and every third portfolio's pages show no error, ask for nothing outside, fit a telephone."""
    period = demo / "demo" / "2026-09"
    folders = sorted(path for path in period.iterdir() if path.is_dir() and list(path.glob("*.html")))
    assert len(folders) == 12
    pages = [*(page for folder in folders[::3] for page in folder.glob("*.html")), *period.glob("*.html")]
    assert len(pages) >= 4 * len(REPORTS) + 2
    pages.append(demo / "index.html")
    for page in pages:
        with browsing.open(page, folder=demo) as visit:
            visit.page.set_viewport_size({"width": 400, "height": 800})
            assert visit.errors == [], page
            assert visit.outside == [], page
            assert visit.value("document.documentElement.scrollWidth <= 400"), page


def test_summary_is_one_row_a_report(demo: Path) -> None:
    """The summary names portfolio, report, status, stage, cause and seconds of every report."""
    summary = demo / "summary.json"
    done = pmo(demo, "run", "--org", "demo", "--period", "2026-09", "--portfolio", "estates", "--summary", str(summary))
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(summary.read_text())
    rows = pd.DataFrame(told["reports"])
    assert {"portfolio", "report", "status", "stage", "cause", "seconds"} <= set(rows.columns)
    assert rows["report"].tolist() == [*REPORTS, "portfolio_rollup", "edition_record"]
    assert told["published"] + told["unchanged"] == len(rows)


def test_stock_kernel_gives_the_same_pages(demo: Path) -> None:
    """Every notebook of the project, run by a stock Jupyter kernel, gives the page and results of the warm engine."""
    chosen = [demo / "demo" / "2026-09" / "estates", *(demo / "demo" / "2026-09").glob("portfolio_rollup.*")]
    before = {path: path.read_bytes() for path in files_in(chosen)}
    assert {path.stem for path in before} >= {*REPORTS, "portfolio_rollup"}
    same = ("--portfolio", "estates", "--again", "--engine", "kernel")
    done = pmo(demo, "run", "--org", "demo", "--period", "2026-09", *same)
    assert done.returncode == 0, done.stderr[-4000:]
    assert {path: path.read_bytes() for path in files_in(chosen)} == before


@pytest.mark.parametrize("report", [*REPORTS, "portfolio_rollup"])
def test_settings_that_a_report_did_not_read_change_nothing_in_it(demo: Path, tmp_path: Path, report: str) -> None:
    """With every setting changed that its record does not name, a report is the same, to the byte."""
    place = Path("2026-09", *([] if report == "portfolio_rollup" else ["estates"]), f"{report}.json")
    record = json.loads((demo / "demo" / "made_of" / place).read_text())
    for name in ("parameters", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    own = load_organisation(ROOT, org="demo").model_dump(mode="json")
    changed = others_than(own, names=record["settings"])
    assert len(changed) > 30
    (tmp_path / "parameters" / "demo" / "organisation.yml").write_text(json.dumps(own))
    outputs = shutil.copytree(demo, tmp_path / "outputs")
    one = () if report == "portfolio_rollup" else ("--portfolio", "estates")
    done = pmo(outputs, "run", "--period", "2026-09", "--again", "--report", report, *one, root=tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    for suffix in (".html", ".json"):
        path = place.with_suffix(suffix)
        assert (outputs / "demo" / path).read_bytes() == (demo / "demo" / path).read_bytes(), changed


def others_than(settings: dict[str, Any], *, names: Collection[str]) -> list[str]:
    """Change in place every number among settings that is not under one of the names; return what was changed."""
    changed = []
    for name, value in leaves(settings):
        known = any(name == one or name.startswith(f"{one}.") for one in names)
        if known or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        *above, last = name.split(".")
        group = reduce(lambda level, part: level[part], above, settings)
        group[last] = value + 1 if isinstance(value, int) else value * 1.01
        try:
            Organisation.model_validate(settings)
            changed.append(name)
        except ValidationError:
            group[last] = value
    return changed


def leaves(settings: dict[str, Any], *, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and value of each setting that is no group."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from leaves(value, above=f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def files_in(places: list[Path]) -> list[Path]:
    """Return the files among the places and below them."""
    return [path for place in places for path in [place, *place.rglob("*")] if path.is_file()]
