"""The notebook of the risk register on snapshots: with a register, without one, and on real departments."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output
from registers import a_risk
from returns import small_return, typed

from pmo_lib.intake.check import check
from pmo_lib.parameters.load import load_mapping, load_organisation, load_reports
from pmo_lib.report import ECHO, EXHIBIT, PLOTLY, PUBLISHED
from pmo_lib.snapshots import Archive, take

# Without a forecast and a network there is nothing to simulate; nobody returned a book, issues or dependencies.
SIMULATED = ["drivers", "critical-tasks"]
UNTOLD = ["issues", "escalations", "dependencies"]
ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "risk_register.ipynb"
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root with our parameters and two periods: HWY has a register, ICT never returned one."""
    shutil.copytree(ROOT / "parameters", tmp_path / "parameters")
    (tmp_path / "parameters" / "made").mkdir()
    (tmp_path / "parameters" / "made" / "organisation.yml").write_text("id: made\nname: Made\n", encoding="utf-8")
    monkeypatch.setenv("PMO_ROOT", str(tmp_path))
    monkeypatch.setenv("PMO_OUTPUTS", str(tmp_path / "outputs"))
    archive = Archive(tmp_path / "outputs" / "made" / "archive")
    for period, day, rows in (("2026-08", date(2026, 8, 31), AUGUST), ("2026-09", date(2026, 9, 30), SEPTEMBER)):
        small = small_return(period, day, portfolios={"HWY": ["P1", "P2"], "ICT": ["I1"]})
        dated = [{"status_date": day, **row} for row in rows]
        risks = typed("risks", dated).sort_values("risk_id").reset_index(drop=True)
        take(replace(small, tables={**small.tables, "risks": risks}), archive=archive, organisation="made")
    return tmp_path


AUGUST = [a_risk("R-1", probability=0.5), a_risk("R-2"), a_risk("R-3")]
SEPTEMBER = [
    a_risk("R-1"),
    a_risk("R-2", status="closed"),
    a_risk("R-4", title=HOSTILE, kind="opportunity", cost_impact_likely=30_000),
    a_risk("R-5", cost_impact_likely=None, owner=None),
]


def outputs(**parameters: str) -> list[RichOutput]:
    """Run the notebook's code cells in one shell, with other parameters, and return what they displayed."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    shell = InteractiveShell.instance()
    shell.reset(new_session=True)
    shown: list[RichOutput] = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        text = "".join(cell["source"])
        if "parameters" in cell["metadata"].get("tags", ()):
            text += "".join(f"\n{name} = {value!r}" for name, value in parameters.items())
        with capture_output() as captured:
            result = shell.run_cell(text)
        result.raise_error()
        assert captured.stderr == "", cell["id"]
        shown += captured.outputs
    return shown


def notes(shown: list[RichOutput], kind: str) -> list[Any]:
    """Return what was displayed under a media type."""
    return [output.data[kind] for output in shown if kind in output.data]


def glued(shown: list[RichOutput]) -> dict[str, Any]:
    """Return what the notebook published, by name."""
    found = {}
    for output in shown:
        scrap = (output.metadata or {}).get("scrapbook", {})
        if scrap.get("data"):
            found[scrap["name"]] = next(iter(output.data.values()))["data"]
    return found


def page(shown: list[RichOutput]) -> str:
    """Return all HTML that was displayed."""
    return "\n".join(notes(shown, "text/html"))


def exhibits() -> list[str]:
    """Return the exhibits that the report owes, in order."""
    return [exhibit.id for exhibit in load_reports(ROOT).named("risk_register").exhibits]


@pytest.mark.usefixtures("root")
def test_register_is_told_whole() -> None:
    """A portfolio with a register shows every exhibit in order, draws what it counts, and publishes what it shows."""
    shown = outputs(organisation="made", period="2026-09", portfolio="HWY")
    told = notes(shown, EXHIBIT)
    assert [note["exhibit"] for note in told] == exhibits()
    assert [note["exhibit"] for note in told if note["missing"]] == ["spoken", "draws", *SIMULATED, *UNTOLD]
    assert (
        len(notes(shown, PLOTLY)) == sum(note["figure"] for note in told) == notes(shown, PUBLISHED)[0]["figures_made"]
    )
    assert notes(shown, ECHO)[0]["portfolio"] == "HWY"
    assert HOSTILE not in page(shown)
    figures = {name.partition(":")[2]: data for name, data in glued(shown).items() if name.startswith("figure:")}
    assert figures["risks_open"]["value"] == 3
    assert figures["risks_unquantified"]["value"] == 1
    assert figures["exposure_net"] == {"name": "exposure_net", "value": 40_000 - 7_500, "unit": "GBP", "reason": ""}
    assert (figures["risks_new"]["value"], figures["risks_closed"]["value"], figures["risks_dropped"]["value"]) == (
        2,
        1,
        1,
    )


@pytest.mark.usefixtures("root")
def test_portfolio_without_a_register_says_what_is_missing() -> None:
    """Without a register no risk is drawn or summed; the page says who could supply it and where it is most wanted."""
    shown = outputs(organisation="made", period="2026-09", portfolio="ICT")
    told = {note["exhibit"]: note for note in notes(shown, EXHIBIT)}
    assert list(told) == exhibits()
    assert [name for name, note in told.items() if not note["missing"]] == ["registers-wanted"]
    assert page(shown).count("Missing: risks.") == 1, "one line for the register"
    assert page(shown).count("Missing: risks, as said above.") == len(told) - 4 - len(("draws", *UNTOLD))
    assert page(shown).count("Missing: tasks, links.") == 1
    assert "Risk owners" in page(shown)
    values = [data["value"] for name, data in glued(shown).items() if name.startswith("figure:")]
    assert values
    assert set(values) == {None}


@pytest.mark.usefixtures("root")
def test_first_period_is_told_without_movements() -> None:
    """The first register has exposure and no movement; the page says that there is nothing to compare with."""
    shown = outputs(organisation="made", period="2026-08", portfolio="HWY")
    missing = [note["exhibit"] for note in notes(shown, EXHIBIT) if note["missing"]]
    assert missing == ["bridge", "spoken", "draws", "movements", "unquantified", *SIMULATED, *UNTOLD]
    assert page(shown).count("There is no earlier register to compare with") == 2


@pytest.mark.usefixtures("root")
def test_same_snapshot_gives_the_same_outputs() -> None:
    """Two runs of one snapshot display the same bytes."""
    one, two = (outputs(organisation="made", period="2026-09", portfolio="HWY") for _ in range(2))
    assert [output.data for output in one] == [output.data for output in two]


@pytest.fixture(scope="module")
def published_portfolios(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take the last two years of the published portfolios, and return the folder of their snapshots."""
    folder = tmp_path_factory.mktemp("gmpp")
    files = [real_data / "uk_gmpp" / name for name in ("gmpp_2023_24.csv", "gmpp_2024_25.csv")]
    mapping = load_mapping(ROOT, org="uk_gmpp", name="uk_gmpp")
    for checked in check(files, organisation=load_organisation(ROOT, org="uk_gmpp"), mapping=mapping):
        take(checked, archive=Archive(folder / "uk_gmpp" / "archive"), organisation="uk_gmpp")
    return folder


@pytest.mark.parametrize("department", ["HO", "DFT", "HMT"])
def test_real_departments_are_told_without_a_register(
    real_data: Path, published_portfolios: Path, monkeypatch: pytest.MonkeyPatch, department: str
) -> None:
    """On published portfolios the page ranks just the projects of the file, and counts as plain csv reading does."""
    monkeypatch.setenv("PMO_ROOT", str(ROOT))
    monkeypatch.setenv("PMO_OUTPUTS", str(published_portfolios))
    shown = outputs(organisation="uk_gmpp", period="2025-03", portfolio=department)
    wanted = glued(shown)["table:registers_wanted"]
    rows = pd.DataFrame(wanted["rows"], columns=wanted["columns"])
    with (real_data / "uk_gmpp" / "gmpp_2024_25.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["Department"].upper() == department]
    red = [line for line in lines if "RED" in (line["IPA Delivery Confidence Assessment"],
                                               line["SRO Delivery Confidence Assessment"])]  # fmt: skip
    assert sorted(rows["project_id"]) == sorted(line["GMPP ID"].upper() for line in lines)
    assert rows["low_confidence"].sum() == len(red)
    single = [line for line in lines if line["Whole Life Cost (£m)"].strip().replace(".", "", 1).isdigit()]
    assert rows["cost_unknown"].sum() == len(lines) - len(single)
    assert page(shown).count("Missing: risks") == len(exhibits()) - 3 - len(("draws", *UNTOLD))
