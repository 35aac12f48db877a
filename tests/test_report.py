"""The report room: what a notebook sees, and what it may not do."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from returns import small_return, typed

from pmo_lib import report
from pmo_lib.contracts.findings import Finding, findings_table
from pmo_lib.errors import ParameterError, ReportError, StoreError
from pmo_lib.parameters.load import load_reports
from pmo_lib.parameters.models import Organisation
from pmo_lib.report import ECHO, EXHIBIT, PLOTLY, PUBLISHED
from pmo_lib.snapshots import Archive, take
from pmo_lib.tables.html import Show, html_table

PROJECT = Path(__file__).resolve().parents[1]
REPORTS = """
reports:
  - name: health_check
    title: Health check
    question: Which projects need help?
    exhibits:
      - {id: ratings, needs: [status], caption: One row a project., supplier: 'project managers, sheet status'}
      - id: risks
        needs: [risks]
        caption: 'Red from {thresholds.cost_red:share}, late from {thresholds.slip_red_days} days.'
        supplier: risk owners, sheet risks
"""
ORGANISATION = "id: demo\nname: Demo\nthresholds: {cost_amber: 0.05, cost_red: 0.1}\n"
FIGURES = pd.DataFrame([("made_up", 2.0, "projects", None)], columns=["name", "value", "unit", "reason"])


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root with one organisation and two periods; project I1 moved from ICT to HWY in the second."""
    (tmp_path / "parameters" / "demo").mkdir(parents=True)
    (tmp_path / "parameters" / "reports.yml").write_text(REPORTS)
    (tmp_path / "parameters" / "demo" / "organisation.yml").write_text(ORGANISATION)
    monkeypatch.setenv("PMO_ROOT", str(tmp_path))
    monkeypatch.setenv("PMO_OUTPUTS", str(tmp_path / "outputs"))
    archive = Archive(tmp_path / "outputs" / "demo" / "archive")
    august = small_return("2026-08", date(2026, 8, 31), portfolios={"HWY": ["H1"], "ICT": ["I1", "I2"]})
    take(august, archive=archive, organisation="demo")
    september = small_return("2026-09", date(2026, 9, 30), portfolios={"HWY": ["H1", "I1"], "ICT": ["I2"]})
    moves = [
        {"portfolio_id": p, "from_id": "ICT", "to_id": "HWY", "project_id": "I1", "kind": "transferred",
         "effective_on": date(2026, 9, 30)}
        for p in ("HWY", "ICT")
    ]  # fmt: skip
    september.tables["lineage"] = typed("lineage", moves)
    take(september, archive=archive, organisation="demo")
    InteractiveShell.instance()
    return tmp_path


def begin(portfolio: str = "HWY", period: str = "2026-09", **more: Any) -> report.Book:
    """Open the health check, its output captured."""
    with capture_output():
        return report.begin("health_check", organisation="demo", period=period, portfolio=portfolio, **more)


def chart(_: pd.DataFrame) -> go.Figure:
    """Return a small chart."""
    return go.Figure(go.Bar(x=[1], y=[2]), layout={"title": {"text": "Two"}})


def listing(rows: pd.DataFrame) -> Any:
    """Return a small table."""
    return html_table(rows, columns=[Show("project_id", "Project")], caption="Projects")


def shown(book: report.Book, *calls: Any) -> list[dict[str, Any]]:
    """Return the data of what the calls display."""
    with capture_output() as captured:
        for call in calls:
            call(book)
    return [dict(output.data) for output in captured.outputs]


def test_a_finding_about_a_sheet_is_told_where_the_file_is_read(root: Path) -> None:
    """What is wrong with a whole sheet is told to those who returned that file, and not to who returned another."""
    made = small_return("2026-10", date(2026, 10, 31), portfolios={"HWY": ["H1"], "ICT": ["I2"]})
    made.returns["file"] = made.returns["portfolio_id"].map({"HWY": "hwy.xlsx", "ICT": "ict.xlsx"})
    places = (("ict.xlsx", ""), ("hwy.xlsx", ""), ("shared.xlsx", ""), ("ict.xlsx", "HWY"))
    made.findings = findings_table(
        Finding(name, "status", 1, "S1", "unknown-column", "warning", "nulled", "not used", "remove it",
                portfolio_id=whose) for name, whose in places
    )  # fmt: skip
    take(made, archive=Archive(root / "outputs" / "demo" / "archive"), organisation="demo")
    found = begin(period="2026-10").findings
    assert sorted(zip(found["file"], found["portfolio_id"], strict=True)) == [
        ("hwy.xlsx", ""), ("ict.xlsx", "HWY"), ("shared.xlsx", ""),
    ]  # fmt: skip


@pytest.mark.usefixtures("root")
class TestBook:
    """What an opened report holds."""

    def test_head_echoes_what_it_opened(self) -> None:
        """The first output says which organisation, period, portfolio, report and snapshot were opened."""
        with capture_output() as captured:
            book = report.begin("health_check", organisation="demo", period="2026-09", portfolio="HWY")
        (head,) = [dict(output.data) for output in captured.outputs]
        assert head[ECHO] == book.identity
        assert head[ECHO]["portfolio"] == "HWY"
        assert head[ECHO]["snapshot"] == book.snapshot.id
        assert "Portfolio HWY" in head["text/html"]
        assert "2 rows returned, 2 used, 0 quarantined" in head["text/html"]

    def test_head_accounts_for_every_row(self, root: Path) -> None:
        """Rows that a return declares as ignored are told too: used, quarantined and ignored are all that came in."""
        october = small_return("2026-10", date(2026, 10, 31), portfolios={"HWY": ["H1"]})
        ours = october.accounting.index[0]
        october.accounting.loc[ours, ["rows_in", "ignored"]] = october.accounting.loc[ours, "used"] + 1, 1
        take(october, archive=Archive(root / "outputs" / "demo" / "archive"), organisation="demo")
        with capture_output() as captured:
            report.begin("health_check", organisation="demo", period="2026-10", portfolio="HWY")
        (head,) = [dict(output.data) for output in captured.outputs]
        assert "0 quarantined, 1 to be ignored" in head["text/html"]

    def test_table_is_the_portfolio_now(self) -> None:
        """A table holds this portfolio's rows of this period and no others."""
        assert begin().table("projects")["project_id"].tolist() == ["H1", "I1"]
        assert begin("ICT").table("projects")["project_id"].tolist() == ["I2"]

    def test_what_is_done_to_a_history_is_seen_by_nobody_else(self) -> None:
        """A history is read once, and each who asks may change it: the next one has it as it was returned."""
        book = begin()
        first = book.history("projects")
        kept = first.copy()
        first["name"] = "spoiled"
        first.loc[first.index[0], "portfolio_id"] = "spoiled"
        first.iloc[:, -1] = None
        pd.testing.assert_frame_equal(book.history("projects"), kept)

    def test_history_shows_moves_as_moves(self) -> None:
        """History holds a moved project under the portfolio that held it then, for the giver and the taker."""
        taker = begin().history("projects")[["period", "portfolio_id", "project_id"]].to_numpy().tolist()
        assert taker == [
            ["2026-08", "HWY", "H1"], ["2026-08", "ICT", "I1"], ["2026-09", "HWY", "H1"], ["2026-09", "HWY", "I1"],
        ]  # fmt: skip
        giver = begin("ICT").history("projects")[["period", "portfolio_id", "project_id"]].to_numpy().tolist()
        assert ["2026-09", "HWY", "I1"] in giver
        assert ["2026-09", "HWY", "H1"] not in giver

    def test_periods_come_from_the_chain(self) -> None:
        """The periods are those of the snapshot's chain; the first has no previous one."""
        assert begin().periods == ("2026-08", "2026-09")
        assert begin().previous_period == "2026-08"
        assert begin(period="2026-08").previous_period is None
        assert begin().year_ago_period is None

    def test_overrides_reach_the_settings(self) -> None:
        """A setting of the command line wins over the organisation's; an unusable one is an error."""
        assert begin(overrides={"thresholds.cost_red": "0.25"}).settings.thresholds.cost_red == 0.25
        with pytest.raises(ParameterError):
            begin(overrides={"thresholds.cost_rde": "0.25"})

    def test_unknown_portfolio_and_period_are_refused(self) -> None:
        """A portfolio or period without data is an error that names what there is, never another portfolio's page."""
        with pytest.raises(ParameterError, match="there are HWY, ICT"):
            begin("HWX")
        with pytest.raises(StoreError, match="2026-08, 2026-09"):
            begin(period="2027-01")


class TestStanding:
    """What the head of a page says of a return that did not come whole and in time."""

    @staticmethod
    def october(root: Path, *, states: list[dict[str, Any]], held: dict[str, list[str]]) -> None:
        """Take a third period, with these returns."""
        made = small_return("2026-10", date(2026, 10, 31), portfolios=held)
        made.returns = pd.DataFrame([{"file": "", "reason": ""} | state for state in states])
        archive = Archive(root / "outputs" / "demo" / "archive")
        take(made, archive=archive, organisation="demo")

    def opened(self, portfolio: str, *, period: str = "2026-10") -> tuple[report.Book, str]:
        """Open the health check; return it and its head."""
        with capture_output() as captured:
            book = report.begin("health_check", "demo", period=period, portfolio=portfolio)
        return book, dict(captured.outputs[0].data)["text/html"]

    def test_a_silent_portfolio_shows_what_was_last_known(self, root: Path) -> None:
        """Without a return the page says so first, shows the last known rows with their day, and keeps its own name."""
        self.october(root, states=[{"portfolio_id": "HWY", "state": "returned"}], held={"HWY": ["H1", "I1"]})
        book, head = self.opened("ICT")
        assert head.index("Not returned for Oct 2026.") < head.index("Which projects need help?")
        assert "the last known one, of 30 Sep 2026" in head
        assert "0 rows returned" in head
        assert book.table("projects")["project_id"].tolist() == ["I2"]
        assert (book.period, book.status_date, book.fresh) == ("2026-09", pd.Timestamp("2026-09-30"), False)
        assert (book.identity["period"], book.identity["as_of"]) == ("2026-10", "2026-09")
        assert [row["state"] for row in book.returns.to_dict("records")] == ["returned", "returned", "not returned"]
        (tiles,) = shown(book, lambda b: b.kpis(FIGURES))
        assert "last known, 30 Sep 2026" in tiles["text/html"]

    def test_a_refused_return_says_why(self, root: Path) -> None:
        """A refused return shows the last known figures and its reason; the reason is escaped."""
        states = [
            {"portfolio_id": "HWY", "state": "returned"},
            {"portfolio_id": "ICT", "state": "refused", "reason": "duplicate <key>"},
        ]
        self.october(root, states=states, held={"HWY": ["H1"]})
        _, head = self.opened("ICT")
        assert "<strong>Return refused for Oct 2026.</strong> Duplicate &lt;key&gt;." in head

    def test_partial_and_late_are_said_and_in_time_is_not(self, root: Path) -> None:
        """A partial or late return has the notice on top, with its days; a whole one in time has none."""
        made = small_return("2026-10", date(2026, 10, 31), portfolios={"HWY": ["H1"], "ICT": ["I2"]})
        made.tables["status"]["submitted_on"] = pd.to_datetime(["2026-11-20", "2026-11-05"]).astype("datetime64[us]")
        made.returns.loc[0, ["state", "reason"]] = ["partial", "1 row set aside"]
        take(made, archive=Archive(root / "outputs" / "demo" / "archive"), organisation="demo")
        _, head = self.opened("HWY")
        assert "<strong>Partial return for Oct 2026, and late.</strong> 1 row set aside." in head
        assert "due on 10 Nov 2026; 1 status row came in later, the last on 20 Nov 2026, 10 days late" in head
        _, head = self.opened("ICT")
        assert "standing" not in head
        assert "submitted 5 Nov 2026, on time" in head

    def test_a_silent_portfolio_is_not_forgotten(self, root: Path) -> None:
        """Two silent periods later a portfolio still owes its return; one that never returned has no page."""
        self.october(root, states=[{"portfolio_id": "HWY", "state": "returned"}], held={"HWY": ["H1", "I1"]})
        made = small_return("2026-11", date(2026, 11, 30), portfolios={"HWY": ["H1", "I1"]})
        made.returns.loc[1] = ["SEA", "refused", "", "no project"]
        take(made, archive=Archive(root / "outputs" / "demo" / "archive"), organisation="demo")
        book, _ = self.opened("ICT", period="2026-11")
        assert book.period == "2026-09"
        with pytest.raises(ParameterError, match="nothing usable up to 2026-11; there are HWY, ICT"):
            self.opened("SEA", period="2026-11")

    def test_a_mistyped_id_owes_no_return(self, root: Path) -> None:
        """An id refused in another's file is told in its period only; one refused in a file of its own stays owed."""
        states = [
            {"portfolio_id": "HWY", "state": "returned", "file": "hwy.xlsx"},
            {"portfolio_id": "HWY-old", "state": "refused", "file": "hwy.xlsx"},
            {"portfolio_id": "SEA", "state": "refused", "file": "sea.xlsx"},
        ]
        self.october(root, states=states, held={"HWY": ["H1", "I1", "I2"]})
        take(
            small_return("2026-11", date(2026, 11, 30), portfolios={"HWY": ["H1"]}),
            archive=Archive(root / "outputs" / "demo" / "archive"), organisation="demo",
        )  # fmt: skip
        book, _ = self.opened("HWY", period="2026-11")
        told = book.snapshot.returns_history
        states_of = told[told["period"].ge("2026-10")].groupby("period")["portfolio_id"].agg(list).to_dict()
        assert states_of == {"2026-10": ["HWY", "HWY-old", "SEA"], "2026-11": ["HWY", "SEA"]}

    def test_who_gave_all_projects_away_owes_nothing(self, root: Path) -> None:
        """A portfolio whose projects have all come to another has not failed to return: it is no more."""
        self.october(root, states=[{"portfolio_id": "HWY", "state": "returned"}], held={"HWY": ["H1", "I1", "I2"]})
        with pytest.raises(ParameterError, match="there are HWY"):
            self.opened("ICT")


@pytest.mark.usefixtures("root")
class TestShow:
    """What an exhibit emits."""

    def test_exhibit_has_chart_figures_and_caption(self) -> None:
        """An exhibit is a sentence, the chart as data, its figures as a table, and a caption with date and sources."""
        book = begin()
        metric = book.table("projects")
        outputs = shown(
            book, lambda b: b.show("ratings", metric, figure=chart, table=listing, says=lambda _: "Look <b>")
        )
        sentence, drawn, below = outputs
        assert sentence[EXHIBIT] == {"exhibit": "ratings", "figure": True, "table": True, "missing": False}
        assert "Look &lt;b&gt;" in sentence["text/html"]
        assert drawn[PLOTLY]["config"]["showSendToCloud"] is False
        assert "H1" in below["text/html"]
        assert "Status date 30 Sep 2026. Source tables: status." in below["text/html"]
        assert book.figures_made == 1

    def test_missing_data_says_who_could_supply_it(self) -> None:
        """Without its tables an exhibit names them and who has them; with them, that there is nothing to show."""
        empty = pd.DataFrame()
        (missing,) = shown(begin(), lambda b: b.show("risks", empty, figure=chart))
        assert "Missing: risks." in missing["text/html"]
        assert "risk owners, sheet risks" in missing["text/html"]
        (nothing,) = shown(begin(), lambda b: b.show("ratings", empty, figure=chart))
        assert "Nothing to show" in nothing["text/html"]

    def test_what_is_missing_is_said_once(self) -> None:
        """The first exhibit that lacks a table says so in full; each later one in a line that opens, hiding nothing."""
        book, empty = begin(), pd.DataFrame()
        first = book.report.exhibit("risks")
        again = first.model_copy(update={"id": "risks-too", "supplier": "Whoever owns the risks <too>."})
        book.report = book.report.model_copy(update={"exhibits": (*book.report.exhibits, again)})
        (told,) = shown(book, lambda b: b.show("risks", empty))
        assert "Missing: risks." in told["text/html"]
        assert "The same is missing for 1 more exhibit of this page." in told["text/html"]
        (later,) = shown(book, lambda b: b.show("risks-too", empty))
        assert later["text/html"] == (
            "<details class='data'><summary>Missing: risks, as said above.</summary>"
            "<p>Whoever owns the risks &lt;too&gt;.</p></details>"
        )

    def test_a_caption_states_the_settings_in_force(self) -> None:
        """A setting that a caption names is written as its value for this portfolio and run, never as its name."""
        rows = pd.DataFrame({"project_id": ["H1"]})
        for cost, told in (("0.1", "Red from 10%, late from 90 days."), ("0.15", "Red from 15%, late from 90 days.")):
            book = begin(overrides={"thresholds.cost_red": cost})
            assert told in shown(book, lambda b: b.show("risks", rows, table=listing))[-1]["text/html"]

    def test_every_caption_of_ours_can_be_stated(self) -> None:
        """Each setting that a caption of the project's reports names is one of an organisation."""
        named = [
            (exhibit.id, report.stated(exhibit.caption, settings=Organisation(id="o", name="O")))
            for each in load_reports(PROJECT).reports
            for exhibit in each.exhibits
        ]
        assert not [name for name, text in named if "{" in text]
        assert any("10% below" in text for _, text in named)

    def test_exhibits_are_declared_and_shown_once(self) -> None:
        """An exhibit that is not declared, or shown twice, is an error."""
        book = begin()
        with pytest.raises(KeyError, match="no exhibit 'typo'"):
            book.show("typo", pd.DataFrame())
        shown(book, lambda b: b.show("risks", pd.DataFrame()))
        with pytest.raises(ReportError, match="shown twice"):
            book.show("risks", pd.DataFrame())

    def test_publish_asks_for_every_exhibit(self) -> None:
        """A report that leaves an exhibit out does not publish."""
        book = begin()
        shown(book, lambda b: b.show("risks", pd.DataFrame()))
        with pytest.raises(ReportError, match="exhibits not shown: ratings"):
            book.publish(figures=FIGURES, tables={})
        outputs = shown(
            book, lambda b: b.show("ratings", pd.DataFrame()), lambda b: b.publish(figures=FIGURES, tables={})
        )
        note = outputs[-1][PUBLISHED]
        assert {key: note[key] for key in note if key != "read"} == {
            "figures_made": 0, "exhibits": ["risks", "ratings"], "sections": [],
        }  # fmt: skip

    def test_tiles_say_why_a_figure_is_missing(self) -> None:
        """A tile shows the value with its unit, or n/a with the reason; data is escaped."""
        figures = pd.DataFrame(
            [
                ("whole_life_cost", 63.9e9, "GBP", None),
                ("cpi", None, "ratio", "no <actual> cost"),
                ("late", 0.25, "share", None),
            ],
            columns=["name", "value", "unit", "reason"],
        )
        (tiles,) = shown(begin(), lambda b: b.kpis(figures))
        for words in ("£63.9bn", "Whole life cost", "n/a", "no &lt;actual&gt; cost", "25%"):
            assert words in tiles["text/html"]
