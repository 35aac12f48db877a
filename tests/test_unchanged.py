"""Nothing twice: what a report read is noted, and a report of which nothing changed is not run again."""

from __future__ import annotations

import json
import shutil
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given, settings as effort, strategies as st
from returns import small_return
from small_house import build, figures_of
from test_runner import PORTFOLIOS, results, run_all, tree

from pmo_lib import report
from pmo_lib.batch.staging import PART
from pmo_lib.errors import ParameterError
from pmo_lib.parameters.models import Organisation, RatingRules, Thresholds
from pmo_lib.parameters.traced import noted, picked, traced
from pmo_lib.runner import Request, explain, resume, run
from pmo_lib.snapshots import Archive, open_snapshot, take

if TYPE_CHECKING:
    from pathlib import Path

    from pmo_lib.runner import Done
    from pmo_lib.snapshots import Snapshot

REPORTS = [*((portfolio, "ratings") for portfolio in PORTFOLIOS), ("", "whole")]
ORGANISATION = Organisation(
    id="o", name="O", thresholds=Thresholds(cost_red=0.2), rating=RatingRules(last_year={"cost_red": 0.3})
)


def why(root: Path, **more: Any) -> dict[tuple[str, str], list[str]]:
    """Return why each report of the small house would be run."""
    request = Request(organisation="demo", period="2026-09", **more)
    told = explain(request, root=root, outputs=root / "outputs")
    return {(portfolio, report): reasons for portfolio, report, reasons in told}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house whose period was run."""
    root = build(tmp_path_factory.mktemp("published"))
    assert {one.status for one in run_all(root).values()} == {"published"}
    return root


@pytest.fixture
def house(published: Path, tmp_path: Path) -> Path:
    """A copy of that house, to change something in."""
    return shutil.copytree(published, tmp_path / "house")


class TestTraced:
    """Settings that note what is read of them."""

    def test_what_is_read_is_noted_by_its_dotted_name(self) -> None:
        """Each value that is read is noted, once, and nothing else."""
        seen = traced(ORGANISATION)
        assert noted(seen) == []
        assert (seen.thresholds.cost_red, seen.thresholds.cost_red, seen.name) == (0.2, 0.2, "O")
        assert noted(seen) == ["name", "thresholds.cost_red"]

    def test_methods_of_ours_note_what_they_read(self) -> None:
        """A method of the settings is traced as well: last year's limits are read one by one."""
        seen = traced(ORGANISATION)
        limits = seen.limits("last year")
        assert (limits.cost_red, limits.cost_amber) == (0.3, 0.05)
        assert noted(seen) == ["rating.last_year", "thresholds.cost_amber", "thresholds.cost_red"]
        assert seen.limits("today").cost_red == 0.2

    def test_what_cannot_be_told_apart_counts_as_all(self) -> None:
        """A dump, a comparison or a hash of a group is a reading of the whole group."""
        for look in (lambda s: s.risk.model_dump(), lambda s: s.risk == s.risk, lambda s: hash(s.risk)):
            seen = traced(ORGANISATION)
            look(seen)
            assert noted(seen) == ["risk"]
        assert noted(ORGANISATION) == ["*"]  # settings that note nothing may have been read in whole

    def test_values_are_picked_by_name(self) -> None:
        """Values are plain; the name of a setting that is no more has none."""
        dumped = ORGANISATION.model_dump(mode="json")
        assert picked(dumped, names=["thresholds.cost_red", "gone.away"]) == {
            "gone.away": None, "thresholds.cost_red": 0.2,
        }  # fmt: skip
        assert picked(dumped, names=["*"]) == {"*": dumped}

    @effort(max_examples=50)
    @given(st.lists(st.sampled_from(sorted(Thresholds.model_fields)), unique=True))
    def test_traced_settings_have_the_same_values(self, names: list[str]) -> None:
        """Whatever is read, traced settings say what the settings say, and note exactly that."""
        seen = traced(ORGANISATION)
        assert [getattr(seen.thresholds, name) for name in names] == [
            getattr(ORGANISATION.thresholds, name) for name in names
        ]
        assert noted(seen) == sorted(f"thresholds.{name}" for name in names)


@pytest.mark.parametrize("first", [(), ("status",), ("projects", "status")])
def test_who_reads_what_another_has_read_notes_it_as_well(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: tuple[str, ...]
) -> None:
    """A report has the same rows, and has noted the same, whether it read them itself or another report did."""
    monkeypatch.setenv("PMO_ROOT", str(published))
    monkeypatch.setenv("PMO_OUTPUTS", str(published / "outputs"))
    monkeypatch.setattr(report, "display", lambda *_, **__: None)
    own = begin()
    rows = own.history("status")
    monkeypatch.setenv("PMO_SHARED", str(tmp_path / "shared"))
    other = begin()
    other.histories("status", "projects")
    found = begin()
    found.histories(*first)
    pd.testing.assert_frame_equal(found.history("status"), rows)
    pd.testing.assert_frame_equal(found.returns, own.returns)
    alone = {tuple(read) for read in own.snapshot.noted}
    extra = {read for read in map(tuple, found.snapshot.noted) if read not in alone}
    assert {tuple(read) for read in found.snapshot.noted} >= alone
    assert extra <= {("rows", "2026-09", name, "HWY") for name in first}


def begin() -> report.Book:
    """Open the ratings of a portfolio."""
    return report.begin("ratings", "demo", period="2026-09", portfolio="HWY")


class TestSnapshotNotes:
    """Snapshots that note what is asked of them."""

    @pytest.fixture
    def snapshot(self, published: Path) -> Snapshot:
        """The house's snapshot, noting."""
        found = open_snapshot(Archive(published / "outputs" / "demo" / "archive"), period="2026-09")
        return found.noting

    def test_what_is_asked_is_noted(self, snapshot: Snapshot) -> None:
        """Tables with their portfolio, intake's tables and the standing of a portfolio are noted."""
        snapshot.table("status", portfolio="HWY")
        snapshot.intake_table("returns", portfolio="ICT")
        snapshot.standing("SCH")
        assert snapshot.noted == [
            ["intake", "2026-09", "returns", "ICT"],
            ["rows", "2026-09", "status", "HWY"],
            ["standing", "2026-09", "", "SCH"],
        ]

    def test_the_manifest_is_a_reading_of_everything(self, snapshot: Snapshot) -> None:
        """Who looks into the snapshot's file may have seen anything."""
        assert snapshot.manifest["period"] == "2026-09"
        assert snapshot.noted == [["manifest", "2026-09"]]

    def test_nothing_is_noted_of_what_is_not_asked_to(self, snapshot: Snapshot) -> None:
        """An unnoted snapshot leaves no trace, nor do the inner workings of a standing."""
        snapshot.unnoted.table("status")
        assert snapshot.noted == []


def test_nothing_that_is_unchanged_is_run_again(house: Path) -> None:
    """A second run of the same inputs runs nothing and leaves every published byte as it was."""
    before = tree(house)
    ended = run_all(house)
    told = {key: (one.status, one.attempts, one.as_of) for key, one in ended.items()}
    assert told == dict.fromkeys(REPORTS, ("unchanged", 0, "2026-09"))
    assert tree(house) == before
    assert why(house) == {key: [] for key in REPORTS}


def test_what_is_asked_for_again_is_run_again(house: Path) -> None:
    """``again`` runs everything, to the same bytes."""
    before = tree(house)
    assert {one.status for one in run_all(house, again=True).values()} == {"published"}
    assert tree(house) == before


def test_a_changed_setting_runs_only_what_reads_it(house: Path) -> None:
    """A threshold that no page reads runs nothing; one that the head of each page reads runs all, and says so."""
    file = house / "parameters" / "demo" / "organisation.yml"
    file.write_text("id: demo\nname: Demo\nthresholds: {cost_red: 0.5}\n")
    assert why(house) == {key: [] for key in REPORTS}
    file.write_text("id: demo\nname: Demo\nthresholds: {submission_due_days: 12}\n")
    told = why(house)
    assert told["HWY", "ratings"] == ["thresholds.submission_due_days was 10, is 12"]
    assert all(told.values())


def test_a_portfolios_own_setting_runs_only_its_reports(house: Path) -> None:
    """What differs for one portfolio runs its reports, and the roll-up only if what they publish changed."""
    folder = house / "parameters" / "demo" / "portfolios"
    folder.mkdir()
    (folder / "ICT.yml").write_text("id: ICT\nthresholds: {submission_due_days: 12}\n")
    told = why(house)
    assert {key for key, reasons in told.items() if reasons} == {("ICT", "ratings"), ("", "whole")}
    assert told["", "whole"] == ["1 of the reports that it reads would be run"]
    ended = run_all(house)
    assert {key: one.status for key, one in ended.items()} == {
        ("HWY", "ratings"): "unchanged",
        ("ICT", "ratings"): "published",
        ("SCH", "ratings"): "unchanged",
        ("", "whole"): "unchanged",  # the page came out the same
    }


def test_a_changed_notebook_runs_its_report(house: Path) -> None:
    """A changed notebook, or a changed word in reports.yml, runs that report for every portfolio."""
    notebook = house / "notebooks" / "whole.ipynb"
    notebook.write_text(notebook.read_text().replace("Question 1?", "Question one?"))
    assert {key: reasons for key, reasons in why(house).items() if reasons} == {("", "whole"): ["its notebook changed"]}
    spoken = house / "parameters" / "reports.yml"
    spoken.write_text(spoken.read_text().replace("One row a project.", "A row for each project."))
    told = why(house)
    assert told["SCH", "ratings"] == ["what the parameters say of the report changed"]


def test_other_code_or_packages_run_everything(house: Path) -> None:
    """A record of other code or packages is not of this page."""
    for name, words in (("code", "the library's code changed"), ("lock", "the packages that it runs on")):
        for path in (house / "outputs" / "demo" / "made_of").rglob("*.json"):
            record = json.loads(path.read_text())
            record["basis"][name] = "0" * 64
            path.write_text(json.dumps(record))
        assert all(words in " ".join(reasons) for reasons in why(house).values())


def test_an_altered_page_is_run_again(house: Path) -> None:
    """A page that somebody altered or removed is made again, and is then as it was."""
    before, folder = tree(house), house / "outputs" / "demo" / "2026-09"
    (folder / "HWY" / "ratings.html").write_text("all is well")
    (folder / "ICT" / "ratings.json").unlink()
    told = why(house)
    assert told["HWY", "ratings"] == ["ratings.html is not as it was published"]
    assert told["ICT", "ratings"] == ["ratings.json is missing"]
    assert {key for key, one in run_all(house).items() if one.status == "published"} >= {
        ("HWY", "ratings"), ("ICT", "ratings"),
    }  # fmt: skip
    assert tree(house) == before


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"basis": 1}', "\x00"])
def test_a_record_that_is_none_vouches_for_nothing(house: Path, content: str) -> None:
    """A record that was torn, emptied or replaced stops no run: its report is run again."""
    (house / "outputs" / "demo" / "made_of" / "2026-09" / "ICT" / "ratings.json").write_text(content)
    assert {key for key, reasons in why(house).items() if reasons} == {("ICT", "ratings"), ("", "whole")}


def test_a_state_that_is_none_is_written_anew(house: Path) -> None:
    """A state file that was torn is no state: the next run writes it, and runs nothing for it but what read it."""
    before, state = tree(house), house / "outputs" / "demo" / "2026-09" / "state.json"
    state.write_text("{")
    ended = run_all(house)
    assert {one.status for key, one in ended.items() if key[0]} == {"unchanged"}
    assert tree(house) == before


def test_a_page_of_a_snapshot_that_is_gone_is_run_again(house: Path) -> None:
    """Where the snapshot that a page was made from cannot be opened any more, nothing vouches for the page."""
    archive = house / "outputs" / "demo" / "archive"
    first = open_snapshot(Archive(archive), period="2026-09").id
    corrected(house)
    (archive / "snapshots" / "2026-09" / f"{first}.json").unlink()
    told = why(house)["SCH", "ratings"]
    assert told == [f"the snapshot that it was made from cannot be compared: period 2026-09 has no snapshot {first}"]


def corrected(root: Path) -> Snapshot:
    """Take a correction of one row of one portfolio into the house, as a second snapshot of the period."""
    portfolios = {"HWY": ["H1", "H2"], "ICT": ["I1"], "SCH": ["S1", "S2", "S3"]}
    made = small_return("2026-09", date(2026, 9, 30), portfolios=portfolios)
    status = made.tables["status"]
    made.tables["status"] = status.assign(rating=status["rating"].where(status["project_id"].ne("I1"), "red"))
    archive = Archive(root / "outputs" / "demo" / "archive")
    return take(made, archive=archive, organisation="demo", reason="I1 was rated again")


def test_a_correction_runs_only_whose_rows_changed(house: Path) -> None:
    """After a correction of one portfolio the others' pages stand, count in the roll-up, and are still known to."""
    before, first = tree(house), open_snapshot(Archive(house / "outputs" / "demo" / "archive"), period="2026-09").id
    snapshot = corrected(house)
    assert why(house) == {
        ("HWY", "ratings"): [],
        ("ICT", "ratings"): ["rows of status of ICT in 2026-09 changed"],
        ("SCH", "ratings"): [],
        ("", "whole"): ["rows of status in 2026-09 changed", "1 of the reports that it reads would be run"],
    }
    ended = run_all(house)
    assert {key: one.status for key, one in ended.items()} == {
        ("HWY", "ratings"): "unchanged",
        ("ICT", "ratings"): "published",
        ("SCH", "ratings"): "unchanged",
        ("", "whole"): "published",
    }
    assert tree(house)["demo/2026-09/HWY/ratings.html"] == before["demo/2026-09/HWY/ratings.html"]
    assert [results(house, portfolio, "ratings.json")["snapshot"] for portfolio in PORTFOLIOS] == [
        first, snapshot.id, first,
    ]  # fmt: skip
    whole = results(house, "whole.json")
    assert figures_of(whole).to_dict() == {"projects": 6, "published": 3}
    assert [row[-1] for row in whole["tables"]["ratings"]["rows"] if "I1" in row] == ["red"]
    assert {one.status for one in run_all(house).values()} == {"unchanged"}
    assert {one.status for one in run_all(house, portfolios=("ICT",), again=True).values()} == {"published"}
    assert figures_of(results(house, "whole.json")).to_dict() == {"projects": 6, "published": 3}


def test_a_page_of_another_snapshot_does_not_count_by_itself(house: Path) -> None:
    """Until a run has found that nothing which it read changed, a page of a superseded snapshot counts nowhere."""
    corrected(house)
    run_all(house, portfolios=("ICT",))
    assert figures_of(results(house, "whole.json")).to_dict() == {"projects": 1, "published": 1, "missing": 2}


def cut_off(root: Path, *, after: int) -> list[tuple[str, str]]:
    """Run the house and cut the run off after so many reports; return which they were."""
    heard: list[tuple[str, str]] = []

    def tell(done: Done, _: int) -> None:
        heard.append((done.portfolio, done.report))
        if len(heard) == after:
            raise InterruptedError("the lights went out")

    with pytest.raises(Exception, match="the lights went out"):
        run(Request(organisation="demo", period="2026-09"), root=root, outputs=root / "outputs", tell=tell)
    return heard


def finish(root: Path) -> dict[tuple[str, str], Done]:
    """Resume the house's last batch."""
    request = Request(organisation="demo", period="2026-09")
    done = resume(request, root=root, outputs=root / "outputs", tell=lambda *_: None)
    return {(one.portfolio, one.report): one for one in done}


@pytest.mark.parametrize("after", [1, 3, 4])
def test_a_run_that_was_cut_off_is_finished_to_the_same_bytes(published: Path, tmp_path: Path, after: int) -> None:
    """Resume runs what is left, with the inputs that the run began with, and ends where an undisturbed run ends."""
    root = build(tmp_path / "house")
    heard = cut_off(root, after=after)
    (root / "parameters" / "demo" / "organisation.yml").write_text("id: demo\nname: Another name\n")
    (root / "notebooks" / "ratings.ipynb").unlink()
    ended = finish(root)
    assert {key for key, one in ended.items() if one.status == "unchanged"} >= set(heard) - {("", "whole")}
    assert {one.status for one in ended.values()} <= {"published", "unchanged"}
    assert tree(root) == tree(published)


def test_a_run_that_ended_is_told_again_and_not_run_again(house: Path) -> None:
    """Resume of a batch that ended repeats how it ended: an orchestrator may ask as often as it likes."""
    shutil.rmtree(house / "notebooks")
    assert {key: one.status for key, one in finish(house).items()} == dict.fromkeys(REPORTS, "published")


def test_a_run_that_never_began_is_not_taken_for_the_one_before(house: Path) -> None:
    """A run that was killed before it had a plan is not resumed with the good end of an earlier one."""
    (house / "outputs" / "demo" / "archive" / "batches" / "2026-09" / f"0002{PART}").mkdir()
    with pytest.raises(ParameterError, match="no batch to resume"):
        finish(house)


def test_what_cannot_be_resumed_says_why(tmp_path: Path) -> None:
    """No batch, or one that began with other code, is refused with what to do instead."""
    root = build(tmp_path)
    with pytest.raises(ParameterError, match="no batch to resume → run the period without --resume"):
        finish(root)
    cut_off(root, after=1)
    (file,) = root.glob("outputs/demo/archive/batches/2026-09/0001/plan.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"code": "0" * 64}))
    with pytest.raises(ParameterError, match="began with another version of the library"):
        finish(root)


def test_only_what_failed_is_run(tmp_path: Path) -> None:
    """``only_failed`` runs what failed, and the roll-up if that changes it; without failures nothing of portfolios."""
    root = build(tmp_path, sabotage='assert portfolio != "ICT"')
    assert run_all(root)["ICT", "ratings"].status == "failed"
    assert why(root)["ICT", "ratings"] == ["it failed when it was last run"]
    notebook = root / "notebooks" / "ratings.ipynb"
    notebook.write_text(notebook.read_text().replace('assert portfolio != \\"ICT\\"', "pass"))
    ended = run_all(root, only_failed=True)
    assert {key: one.status for key, one in ended.items()} == {
        ("ICT", "ratings"): "published", ("", "whole"): "published",
    }  # fmt: skip
    assert figures_of(results(root, "whole.json")).to_dict() == {"projects": 6, "published": 3}
    assert {key: one.status for key, one in run_all(root, only_failed=True).items()} == {("", "whole"): "unchanged"}


def test_a_failed_report_leaves_its_notebook_until_it_is_published(tmp_path: Path) -> None:
    """The notebook of a failed report stands beside the pages, says so first and has its traceback; never a page."""
    root = build(tmp_path, sabotage='assert portfolio != "ICT", "no <owner>"')
    run_all(root)
    folder = root / "outputs" / "demo" / "2026-09"
    kept = json.loads((folder / "_failed" / "ICT" / "ratings.ipynb").read_text())
    assert kept["cells"][0]["source"].startswith("**This report failed and was not published.** Stage: notebook.")
    errors = [o for cell in kept["cells"] for o in cell.get("outputs", ()) if o["output_type"] == "error"]
    assert [(error["ename"], error["evalue"]) for error in errors] == [("AssertionError", "no <owner>")]
    assert 'href="_failed/ICT/ratings.ipynb"' in (folder / "index.html").read_text()
    assert not list(folder.glob("ICT/*.html"))
    notebook = root / "notebooks" / "ratings.ipynb"
    notebook.write_text(notebook.read_text().replace('assert portfolio != \\"ICT\\", \\"no <owner>\\"', "pass"))
    assert run_all(root)["ICT", "ratings"].status == "published"
    assert not list(folder.glob("_failed/**/*.ipynb"))
    assert "_failed" not in (folder / "index.html").read_text()


def test_summary_and_log_say_how_each_report_ended(tmp_path: Path) -> None:
    """The summary has counts and every report in the order of the plan; the log has a line for each end."""
    root = build(tmp_path, sabotage='assert portfolio != "ICT"')
    run_all(root)
    (folder,) = (root / "outputs" / "demo" / "archive" / "batches" / "2026-09").glob("0*")
    summary = json.loads((folder / "summary.json").read_text())
    assert {key: summary[key] for key in ("organisation", "period", "published", "unchanged", "failed")} == {
        "organisation": "demo", "period": "2026-09", "published": 3, "unchanged": 0, "failed": 1,
    }  # fmt: skip
    assert [(row["portfolio"], row["report"]) for row in summary["reports"]] == REPORTS
    assert [row["stage"] for row in summary["reports"]] == ["", "notebook", "", ""]
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["batch began", *["report ended"] * 4, "batch ended"]
    assert sorted((line["portfolio"], line["status"]) for line in lines if line.get("portfolio")) == [
        ("HWY", "published"), ("ICT", "failed"), ("SCH", "published"),
    ]  # fmt: skip


def test_a_batch_has_a_time_limit(tmp_path: Path) -> None:
    """What is not done when the time of the batch is over fails as too late; what is done is published."""
    root = build(tmp_path, sabotage='import time; portfolio == "HWY" or time.sleep(600)')
    ended = run_all(root, reports=("ratings",), jobs=1, total_seconds=15.0)
    assert ended["HWY", "ratings"].status == "published"
    for portfolio in ("ICT", "SCH"):
        assert (ended[portfolio, "ratings"].stage, ended[portfolio, "ratings"].attempts) == ("time limit", 0)
