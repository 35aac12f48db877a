"""Schedule files: what each program's form holds, hostile files, and one schedule in two forms."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from pandas.testing import assert_frame_equal

from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import SourceError
from pmo_lib.intake.check import check
from pmo_lib.metrics.critical_path import Rules, schedule
from pmo_lib.metrics.network import network
from pmo_lib.metrics.working_time import WorkingTime, calendars
from pmo_lib.parameters.models import Organisation
from pmo_lib.sources import schedules
from pmo_lib.sources.plan import Plan
from pmo_lib.sources.read import read_grids
from pmo_lib.sources.schedules import read_schedule

WEEKDAYS = WorkingTime.on_days(("mon", "tue", "wed", "thu", "fri"), exceptions={})
# Monday to Thursday from 8 to 16; 3 March 2026 (46084) is not worked, Saturday the 7th (46088) is.
WORKED = "".join(f"(0||{day}()((0||0(s|08:00|f|16:00)())))" for day in (2, 3, 4, 5))
CLNDR_DATA = (
    f"(0||CalendarData()((0||DaysOfWeek()((0||1()()){WORKED}(0||6()())(0||7()())))"
    "(0||Exceptions()((0||0(d|46084)())(0||1(d|46088)((0||0(s|08:00|f|16:00)())))))))"
)


def xer(*, calendar: str = CLNDR_DATA, tasks: str = "", links: str = "") -> str:
    """Return a small XER file; a task or link may be put in place of the usual ones."""
    return "\n".join(
        [
            "ERMHDR\t8.4\t2026-03-01\tProject",
            "%T\tPROJECT", "%F\tproj_id\tproj_short_name\tlast_recalc_date", "%R\t7\tDEPOT\t2026-03-02 00:00",
            "%T\tCALENDAR", "%F\tclndr_id\tclndr_name\tday_hr_cnt\tbase_clndr_id\tclndr_data",
            f"%R\t1\tFour days\t8\t\t{calendar}", "%R\t2\tBased\t10\t1\t",
            "%T\tPROJWBS", "%F\twbs_id\twbs_short_name", "%R\t9\tWORK",
            "%T\tTASK",
            "\t".join(("%F", *TASK_FIELDS)),
            tasks or "%R\t11\t7\t9\t1\tA100\tDig\tTT_Task\t24\t16\tCS_MSOA\t2026-03-02 08:00\tCP_Phys\t40",
            "%R\t12\t7\t9\t2\tA110\tPour\tTT_Task\t20\t20\t\t\tCP_Drtn\t0",
            "%R\t13\t7\t9\t1\tA120\tDone\tTT_FinMile\t0\t0\tCS_MEOB\t2026-04-30 16:00\tCP_Drtn\t0",
            "%R\t14\t7\t9\t1\tA130\tSite office\tTT_LOE\t80\t80\t\t\tCP_Drtn\t0",
            "%T\tTASKPRED", "%F\ttask_pred_id\ttask_id\tpred_task_id\tpred_type\tlag_hr_cnt",
            links or "%R\t1\t12\t11\tPR_SS\t16", "%R\t2\t13\t12\tPR_FS\t-10", "%E", "",
        ]
    )  # fmt: skip


TASK_FIELDS = (
    "task_id", "proj_id", "wbs_id", "clndr_id", "task_code", "task_name", "task_type", "target_drtn_hr_cnt",
    "remain_drtn_hr_cnt", "cstr_type", "cstr_date", "complete_pct_type", "phys_complete_pct",
)  # fmt: skip
TASK = (
    "<Task><UID>{uid}</UID><Name>{name}</Name><Duration>{duration}</Duration><Summary>0</Summary>"
    "<Milestone>0</Milestone><PercentComplete>50</PercentComplete>{more}</Task>"
)


def mspdi(*tasks: str, head: str = "") -> str:
    """Return a small MSPDI file with a calendar of Monday to Friday, 30 March to 3 April 2026 off."""
    week = "".join(
        f"<WeekDay><DayType>{kind}</DayType><DayWorking>{int(1 < kind < 7)}</DayWorking></WeekDay>"
        for kind in range(1, 8)
    )
    off = "<TimePeriod><FromDate>2026-03-30T00:00:00</FromDate><ToDate>2026-04-03T23:59:00</ToDate></TimePeriod>"
    closed = f"<Exceptions><Exception>{off}<DayWorking>0</DayWorking></Exception></Exceptions>"
    calendar = f"<Calendar><UID>1</UID><Name>Standard</Name><WeekDays>{week}</WeekDays>{closed}</Calendar>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<Project xmlns="http://schemas.microsoft.com/project">'
        f"<CalendarUID>1</CalendarUID><MinutesPerDay>480</MinutesPerDay><Calendars>{calendar}</Calendars>"
        f"<Tasks>{''.join(tasks)}</Tasks></Project>"
    )


def read(folder: Path, *, name: str, text: str | bytes) -> Plan:
    """Write a file and read it as a schedule."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_schedule(path)


def cells(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Return some columns."""
    return [tuple(row[name] for name in names) for row in rows]


def test_xer_holds_tasks_in_days_of_their_calendar(tmp_path: Path) -> None:
    """Durations and lags come in days of the task's calendar, types and constraints in the contract's words."""
    plan = read(tmp_path, name="depot.xer", text=xer())
    assert cells(plan.tasks, "project_id", "task_id", "duration_days", "remaining_days", "percent_complete") == [
        ("DEPOT", "A100", 3, 2, 0.4), ("DEPOT", "A110", 2, 2, 0), ("DEPOT", "A120", 0, 0, 0),
        ("DEPOT", "A130", 10, 10, 0),
    ]  # fmt: skip
    assert [row["constraint"] for row in plan.tasks] == ["snet 2026-03-02", None, "fnlt 2026-04-30", None]
    assert cells(plan.tasks, "calendar", "is_summary", "is_milestone") == [
        ("Four days", False, False), ("Based", False, False), ("Four days", False, True), ("Four days", True, False),
    ]  # fmt: skip
    assert cells(plan.links, "predecessor_id", "successor_id", "type", "lag_days") == [
        ("A100", "A110", "ss", 2), ("A110", "A120", "fs", -1),
    ]  # fmt: skip
    assert plan.data_on == {"DEPOT": date(2026, 3, 2)}


def test_calendars_keep_weekdays_exceptions_and_what_they_are_based_on(tmp_path: Path) -> None:
    """A calendar lists its weekdays and the dates that differ; one without days has those of its base."""
    plan = read(tmp_path, name="depot.xer", text=xer())
    days = [("mon", True), ("tue", True), ("wed", True), ("thu", True), ("2026-03-03", False), ("2026-03-07", True)]
    for name in ("Four days", "Based"):
        assert cells([row for row in plan.calendars if row["calendar"] == name], "day", "works") == days


def test_mspdi_holds_links_lags_and_baselines(tmp_path: Path) -> None:
    """Lags are tenths of minutes, or a share of the duration before; elapsed durations run day and night."""
    link = (
        "<PredecessorLink><PredecessorUID>1</PredecessorUID><Type>{}</Type><LinkLag>{}</LinkLag>"
        "<LagFormat>{}</LagFormat></PredecessorLink>"
    )
    approved = "<Start>2026-03-02T08:00:00</Start><Finish>2026-03-06T17:00:00</Finish>"
    base = f"<Baseline><Number>0</Number>{approved}</Baseline>"
    elapsed = "<DurationFormat>8</DurationFormat>" + link.format(1, 50, 19)
    plan = read(
        tmp_path, name="Depot 2026.xml",
        text=mspdi(
            TASK.format(uid=1, name="Dig &amp; carry", duration="PT40H0M0S", more=base),
            TASK.format(uid=2, name="Pour", duration="PT4H30M0S", more=link.format(3, -4800, 7)),
            TASK.format(uid=3, name="Dry", duration="PT48H0M0S", more=elapsed),
            TASK.format(uid=4, name="Off", duration="PT8H0M0S", more="<Active>0</Active>"),
        ),
    )  # fmt: skip
    assert cells(plan.tasks, "task_id", "name", "duration_days", "calendar") == [
        ("1", "Dig & carry", 5, "Standard"), ("2", "Pour", 0.5625, "Standard"), ("3", "Dry", 2, "elapsed time"),
    ]  # fmt: skip
    assert cells(plan.tasks[:1], "finish_baseline_on", "percent_complete") == [(date(2026, 3, 6), 0.5)]
    assert cells(plan.links, "successor_id", "type", "lag_days") == [("2", "ss", -1), ("3", "fs", 2.5)]
    off = [row["day"] for row in plan.calendars if row["calendar"] == "Standard" and not row["works"]]
    assert off == ["2026-03-30", "2026-03-31", "2026-04-01", "2026-04-02", "2026-04-03"]


def test_the_name_of_a_file_tells_portfolio_and_project(tmp_path: Path) -> None:
    """A file named by portfolio and project gives tables of our own layout; another leaves the portfolio open."""
    for name, expected in (("ROADS HW-1.xer", ("ROADS", "HW-1")), ("schedule.xer", (None, "DEPOT"))):
        path = tmp_path / name
        path.write_text(xer())
        grids = {grid.sheet: grid for grid in read_grids(path)}
        assert set(grids) == {"tasks", "links", "calendars"}
        for grid in grids.values():
            header, row = grid.rows[0], grid.rows[1]
            assert (row[header.index("portfolio_id")], row[header.index("project_id")]) == expected
            assert set(header) <= set(TABLES[grid.sheet].names)


def test_a_schedule_beside_the_csv_files_of_a_return_is_part_of_it(tmp_path: Path) -> None:
    """Tasks, links and calendars of a schedule file pass intake, each row with its place in the file."""
    texts = {
        "portfolios.csv": "portfolio_id,name,currency\nROADS,Roads,GBP\n",
        "projects.csv": "portfolio_id,project_id,name,currency\nROADS,HW-1,Depot,GBP\n",
        "status.csv": "portfolio_id,project_id,status_date,assessor_role,rating,rating_scale\n"
        "ROADS,HW-1,2026-02-28,SRO,green,three-point\n",
        "ROADS HW-1.xer": xer(),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (checked,) = check([tmp_path], organisation=Organisation(id="o", name="O"))
    assert {name: len(checked.tables[name]) for name in ("tasks", "links", "calendars")} == {
        "tasks": 4, "links": 2, "calendars": 12,
    }  # fmt: skip
    assert len(checked.findings) == 0
    assert checked.tables["tasks"]["source_ref"][0] == "ROADS HW-1.xer, sheet tasks, row 2"


SOON = TASK.format(uid=1, name="A", duration="PT8H", more="<Start>soon</Start>")
LONG = TASK.format(uid=1, name="A", duration="long", more="")
NAN = "%R\t11\t7\t9\t1\tA100\tDig\tTT_Task\tnan"
FOREIGN = '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
HOSTILE = {
    "a document type": ("x.xml", mspdi(head="<!DOCTYPE Project>"), "document type"),
    "entities": ("x.xml", mspdi(head='<!DOCTYPE p [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>'), "document type"),
    "a foreign file": ("x.pmxml", mspdi(head=FOREIGN), "document type"),
    "an unknown entity": ("x.xml", mspdi("&x;"), "undefined entity"),
    "elements without end": ("x.xml", "<Project>" + "<a>" * 5000, "inside each other"),
    "half a file": ("x.xml", mspdi()[:200], "damaged"),
    "another root": ("x.xml", "<html></html>", "root is 'html'"),
    "a date that is none": ("x.xml", mspdi(SOON), "task 1: no date"),
    "a duration that is none": ("x.xml", mspdi(LONG), "no duration: 'long'"),
    "an endless exception": ("x.xml", mspdi().replace("2026-04-03T23", "2926-04-03T23"), "more than 4,000 days"),
    "no activities": ("x.xml", "<APIBusinessObjects/>", "holds no activity"),
    "no table": ("x.xer", "ERMHDR\t8.4\nhello", "line 2: not in the form of XER"),
    "a task without its id": ("x.xer", "ERMHDR\t8\n%T\tTASK\n%F\ttask_id\n%R\t\n", "a row of TASK has no task_id"),
    "no tasks": ("x.xer", "ERMHDR\t8.4\n%E\n", "holds no tasks"),
    "more cells than fields": ("x.xer", "ERMHDR\t8\n%T\tTASK\n%F\ttask_id\n%R\t1\t2\n", "line 4"),
    "a number that is none": ("x.xer", xer(tasks=NAN), "task A100: no number: 'nan'"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_or_broken_file_is_refused(name: str, text: str, said: str, tmp_path: Path) -> None:
    """What is broken or meant to harm is refused with the place and the reason, before anything is expanded."""
    with pytest.raises(SourceError, match=said):
        read(tmp_path, name=name, text=text)


@pytest.mark.parametrize("name", ["x.xer", "x.xml"])
def test_bytes_decide_what_a_file_is(name: str, tmp_path: Path) -> None:
    """A file whose bytes are no schedule is refused by what they are."""
    path = tmp_path / name
    for content, said in ((b"PK\x03\x04....", "bytes say workbook"), (b"a,b\n1,2\n", "bytes say text")):
        path.write_bytes(content)
        with pytest.raises(SourceError, match=said):
            read_grids(path)


@settings(max_examples=60)
@given(st.binary(max_size=200), st.sampled_from(("x.xer", "x.xml", "x.pmxml")))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str) -> None:
    """Whatever a file holds, it is read or refused with a SourceError."""
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes((b"ERMHDR\t" if name.endswith("xer") else b"<Project>") + content)
    try:
        read_schedule(path)
    except SourceError:
        return


def test_mpp_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MPXJ, or without a Java runtime, the message says how to get it."""
    path = tmp_path / "plan.mpp"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100)
    monkeypatch.setattr(schedules, "find_spec", lambda _name: None)
    with pytest.raises(SourceError, match=r"not installed → python -m pip install 'pmo-lib\[schedules\]'"):
        read_grids(path)
    monkeypatch.setattr(schedules, "find_spec", lambda _name: object())
    monkeypatch.setattr(schedules, "CONVERT", f"import sys; sys.exit({schedules.NO_JAVA})")
    with pytest.raises(SourceError, match="no Java runtime → install a Java runtime"):
        read_grids(path)
    monkeypatch.setattr(schedules, "CONVERT", "raise ValueError('not a project')")
    with pytest.raises(SourceError, match="cannot read it \\(ValueError: not a project\\)"):
        read_grids(path)
    assert sys.executable


# Runs in another process: arguments are the file to read and the files to write, told apart by their endings.
REWRITE = """
import sys
import jpype
import mpxj
jpype.startJVM(convertStrings=True)
from org.mpxj.reader import UniversalProjectReader
from org.mpxj.writer import FileFormat, UniversalProjectWriter
project = UniversalProjectReader().read(sys.argv[1])
for target in sys.argv[2:]:
    UniversalProjectWriter(getattr(FileFormat, target.rpartition(".")[2].upper())).write(project, target)
"""


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one network, of all kinds of link, as MPXJ writes it in three programs' forms."""
    if shutil.which("java") is None and "PMO_CI" not in os.environ:
        pytest.skip("no Java runtime")
    link = "<PredecessorLink><PredecessorUID>{}</PredecessorUID><Type>{}</Type><LinkLag>{}</LinkLag></PredecessorLink>"
    links = ("", link.format(1, 1, 0), link.format(2, 3, 9600), link.format(3, 0, 4800) + link.format(5, 2, 57600),
             link.format(2, 1, -4800), link.format(4, 1, 0))  # fmt: skip
    late = "<ConstraintType>4</ConstraintType><ConstraintDate>2026-04-16T08:00:00</ConstraintDate>"
    days = (5, 3, 10, 4, 6, 1)
    begun = "<ActualStart>2026-03-02T08:00:00</ActualStart><RemainingDuration>PT20H0M0S</RemainingDuration>"
    tasks = [TASK.format(uid=1, name="Task 1", duration="PT40H0M0S", more=f"<ID>1</ID>{begun}")] + [
        TASK.format(uid=uid, name=f"Task {uid}", duration=f"PT{8 * size}H0M0S", more=f"<ID>{uid}</ID>{more}").replace(
            "<PercentComplete>50", f"<RemainingDuration>PT{8 * size}H0M0S</RemainingDuration><PercentComplete>0"
        )
        for uid, size, more in zip(range(2, 7), days[1:], (links[1], late + links[2], *links[3:]), strict=True)
    ]
    folder = tmp_path_factory.mktemp("rewritten")
    made = mspdi(*tasks).replace("<CalendarUID>", f"{STATUS}<CalendarUID>", 1)
    (folder / "made.xml").write_text(made.replace("<DayWorking>1</DayWorking>", f"<DayWorking>1</DayWorking>{HOURS}"))
    written = [str(folder / f"plan.{ending}") for ending in ("xer", "pmxml", "mpx")]
    subprocess.run([sys.executable, "-c", REWRITE, str(folder / "made.xml"), *written], check=True)
    return folder


HOURS = "<WorkingTimes><WorkingTime><FromTime>08:00:00</FromTime><ToTime>16:00:00</ToTime></WorkingTime></WorkingTimes>"
STATUS = "<StatusDate>2026-03-20T17:00:00</StatusDate>"
NETWORK = ("task_id", "name", "duration_days", "remaining_days", "percent_complete", "constraint", "calendar")


@pytest.mark.slow
def test_one_network_with_all_links_in_the_forms_of_two_programs(rewritten: Path) -> None:
    """XER and PMXML of one network with leads, lags, a constraint and a closed week give the same, as MSPDI does."""
    first, second, other = (read_schedule(rewritten / name) for name in ("plan.xer", "plan.pmxml", "made.xml"))
    assert len(first.links) == 6
    assert {row["type"] for row in first.links} == {"fs", "ss", "ff", "sf"}
    assert {row["lag_days"] for row in first.links} == {0, 2, 1, 12, -1}
    assert cells(first.tasks, *NETWORK) == cells(second.tasks, *NETWORK) == cells(other.tasks, *NETWORK)
    assert (first.links, first.calendars, first.data_on) == (second.links, second.calendars, second.data_on)
    for name in ("links", "calendars"):
        plain = [[{**row, "project_id": ""} for row in getattr(plan, name)] for plan in (first, other)]
        assert sorted(plain[0], key=str) == sorted(plain[1], key=str), name
    computed = [dated(plan)[["start_early_on", "finish_early_on", "total_float_days"]] for plan in (first, second)]
    assert_frame_equal(*computed)


@pytest.mark.slow
def test_a_file_of_microsoft_project_is_read_through_mpxj(rewritten: Path) -> None:
    """What MPXJ knows by its bytes is read whatever it is called: here Microsoft's older form, MPX."""
    path = rewritten / "plan.mpp"
    shutil.copyfile(rewritten / "plan.mpx", path)
    plan, other = read_schedule(path), read_schedule(rewritten / "made.xml")
    assert cells(plan.tasks, *NETWORK[:4]) == cells(other.tasks, *NETWORK[:4])
    assert cells(plan.links, "successor_id", "type", "lag_days") == cells(
        other.links, "successor_id", "type", "lag_days"
    )


# --- real files -------------------------------------------------------------------------------------------------


def typed(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a contract table."""
    columns = TABLES[name].columns
    return pd.DataFrame(
        {
            each.name: pd.Series([row.get(each.name) for row in rows], dtype=object).astype(each.dtype)
            for each in columns
        }
    )


def dated(plan: Plan) -> pd.DataFrame:
    """Return the tasks of a network with their computed dates."""
    net = network(typed("tasks", plan.tasks), links=typed("links", plan.links))
    (resumes_on,) = plan.data_on.values()
    rules = Rules(time=WEEKDAYS, calendars=calendars(typed("calendars", plan.calendars)), resumes_on=resumes_on)
    paths = schedule(net, rules=rules).paths[["start_early_on", "finish_early_on", "total_float_days"]]
    return pd.concat([net.tasks.reset_index(drop=True), paths], axis="columns")


def compared(path: Path) -> tuple[pd.DataFrame, int, int]:
    """Compute a file's network; return its tasks with the dates of both, and how many starts and finishes differ."""
    rows = dated(read_schedule(path))
    starts, finishes = (rows[f"{edge}_early_on"].ne(rows[f"{edge}_forecast_on"]) for edge in ("start", "finish"))
    return rows, int(starts.sum()), int(finishes.sum())


@pytest.mark.real
def test_one_schedule_in_two_forms_is_one_network(real_data: Path) -> None:
    """The same schedule in XER and in PMXML gives the same tasks, links, calendars and data date, cell by cell."""
    stem = real_data / "schedules" / "mpxj_percent-complete-8.4"
    one, other = (read_schedule(stem.parent / f"{stem.name}{suffix}") for suffix in (".xer", ".pmxml"))
    assert len(one.tasks) == 12
    for name in TABLES["tasks"].names:
        assert [row.get(name) for row in one.tasks] == [row.get(name) for row in other.tasks], name
    assert (one.links, one.calendars, one.data_on) == (other.links, other.calendars, other.data_on)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "tasks", "starts", "finishes"),
    [
        ("mpxj_percent-complete-8.4.xer", 12, 0, 0),
        ("mpxj_percent-complete-8.4.pmxml", 12, 0, 0),
        ("mpxj_task-baselines-project2019-mspdi.xml", 110, 0, 0),
        ("mpxj_task-costs-project2019-mspdi.xml", 10, 0, 0),
        # Task 2: its 100 days stand in 50 in the file itself. Task 21: the file ends it at 8:00 on the next morning.
        ("mpxj_sample.xml", 16, 0, 2),
        # Tasks whose resources work at night, around the clock or to calendars of their own: not in the contract.
        ("mpxj_mspditimephased.xml", 40, 0, 24),
    ],
)
def test_computed_dates_are_those_of_the_program(
    name: str, tasks: int, starts: int, finishes: int, real_data: Path
) -> None:
    """Computed dates are the stored ones, but for what the contract does not hold."""
    rows, *differ = compared(real_data / "schedules" / name)
    assert (len(rows), differ) == (tasks, [starts, finishes])


@pytest.mark.real
def test_links_of_a_real_file_of_all_kinds(real_data: Path) -> None:
    """Finish to start with lag and lead, start to start, finish to finish and start to finish end as in the file."""
    rows, _, _ = compared(real_data / "schedules" / "mpxj_sample.xml")
    pairs = rows.set_index("task_id").loc[["10", "12", "14", "16", "18"]]
    assert pairs["finish_early_on"].tolist() == pairs["finish_forecast_on"].tolist()
