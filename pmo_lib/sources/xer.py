"""A Primavera P6 file of the form XER → tasks, links and calendars, without the program.

XER is text in tables: ``%T`` names a table, ``%F`` its fields, ``%R`` is a row, separated by tabs. Codes are those of
Oracle's *Primavera P6 Data Map Guide*. Planned dates are taken as the baseline: P6 does the same unless a baseline is
assigned, which is another project of the file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pmo_lib.errors import SourceError
from pmo_lib.sources.delimited import MOST_TEXT
from pmo_lib.sources.plan import WEEK, Plan, Row, Week, constraint, day_of, days_in, number_of, on_bases, used

if TYPE_CHECKING:
    from pathlib import Path

Record = dict[str, str]
CONSTRAINTS = {
    "CS_MSO": "mso", "CS_MEO": "mfo", "CS_MANDSTART": "mso", "CS_MANDFIN": "mfo", "CS_MSOA": "snet", "CS_MSOB": "snlt",
    "CS_MEOA": "fnet", "CS_MEOB": "fnlt", "CS_ALAP": "alap",
}  # fmt: skip
KINDS = {"PR_FS": "fs", "PR_SS": "ss", "PR_FF": "ff", "PR_SF": "sf"}
KEYS = {"TASK": "task_id", "PROJECT": "proj_id", "CALENDAR": "clndr_id", "PROJWBS": "wbs_id"}
MILESTONES = ("TT_Mile", "TT_FinMile")
SPANNING = ("TT_LOE", "TT_WBS")  # their dates follow from other tasks
DAY_ZERO = date(1899, 12, 30)
_WEEKDAY = re.compile(r"\(0\|\|([1-7])\(\)")
_EXCEPTION = re.compile(r"\(0\|\|\d+\(d\|(\d{1,6})\)")


def read_xer(path: Path) -> Plan:
    """Read an XER file; level of effort and WBS summaries count as summaries.

    Raises
    ------
    SourceError
        If it is too large, not in the form of XER, or a date or number in it cannot be read.
    """
    tables = _tables(path)
    weeks = _weeks(tables["CALENDAR"])
    projects = {row["proj_id"]: row for row in tables["PROJECT"]}
    names = {key: row.get("proj_short_name") or key for key, row in projects.items()}
    wbs = {row["wbs_id"]: row.get("wbs_short_name", "") for row in tables["PROJWBS"]}
    plan = Plan(
        data_on={names[key]: day_of(row.get("last_recalc_date"), where=path.name) for key, row in projects.items()}
    )
    known: dict[str, tuple[str, str, Week | None]] = {}
    usual = next((row["clndr_id"] for row in tables["CALENDAR"] if row.get("default_flag") == "Y"), "")
    for record in tables["TASK"]:
        calendar = record.get("clndr_id") or projects.get(record.get("proj_id", ""), {}).get("clndr_id") or usual
        week = weeks.get(calendar)
        project = names.get(record.get("proj_id", ""), record.get("proj_id", ""))
        known[record["task_id"]] = project, record.get("task_code") or record["task_id"], week
        where = f"{path.name}, task {known[record['task_id']][1]}"
        row = _task(record, week=week, where=where) | {"project_id": project, "task_id": known[record["task_id"]][1]}
        plan.tasks.append(row | {"wbs": wbs.get(record.get("wbs_id", ""))})
    for record in tables["TASKPRED"]:
        plan.links.append(_link(record, known=known, where=path.name))
    plan.calendars.extend(used(weeks, tasks=plan.tasks))
    return plan


def _tables(path: Path) -> defaultdict[str, list[Record]]:
    """Return the rows of each table as field → text."""
    if path.stat().st_size > MOST_TEXT:
        raise SourceError(f"{path.name}: more than {MOST_TEXT:,} bytes of text", fix="export fewer projects")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    tables: defaultdict[str, list[Record]] = defaultdict(list)
    table, fields = "", list[str]()
    for number, line in enumerate(text.split("\n"), 1):
        mark, *cells = line.rstrip("\r").split("\t")
        if mark == "%T" and cells:
            table, fields = cells[0].strip(), []
        elif mark == "%F":
            fields = [cell.strip() for cell in cells]
        elif mark == "%R" and fields and len(cells) <= len(fields):
            tables[table].append(dict(zip(fields, cells, strict=False)))
        elif mark not in ("", "ERMHDR", "%E"):
            raise SourceError(
                f"{path.name}, line {number}: not in the form of XER: {line[:40]!r}", fix="export the schedule again"
            )
    if not tables["TASK"]:
        raise SourceError(f"{path.name}: holds no tasks", fix="export a project with its activities")
    for table, key in KEYS.items():
        if not all(row.get(key) for row in tables[table]):
            raise SourceError(f"{path.name}: a row of {table} has no {key}", fix="export the schedule again")
    return tables


def _task(record: Record, *, week: Week | None, where: str) -> Row:
    def day(*names: str) -> date | None:
        return next((day_of(record[name], where=where) for name in names if record.get(name)), None)

    def hours(name: str) -> float | None:
        return number_of(record.get(name), where=where)

    kind = record.get("task_type", "")
    pairs = ((record.get("cstr_type"), day("cstr_date")), (record.get("cstr_type2"), day("cstr_date2")))
    return {
        "name": record.get("task_name") or record.get("task_code"),
        "duration_days": days_in(hours("target_drtn_hr_cnt"), week=week),
        "remaining_days": days_in(hours("remain_drtn_hr_cnt"), week=week),
        "start_baseline_on": day("target_start_date"),
        "finish_baseline_on": day("target_end_date"),
        "start_forecast_on": day("act_start_date", "restart_date", "early_start_date", "target_start_date"),
        "finish_forecast_on": day("act_end_date", "reend_date", "early_end_date", "target_end_date"),
        "start_actual_on": day("act_start_date"),
        "finish_actual_on": day("act_end_date"),
        "percent_complete": _progress(record, where=where),
        "constraint": constraint(CONSTRAINTS, *pairs),
        "calendar": week.name if week else None,
        "is_summary": kind in SPANNING,
        "is_milestone": kind in MILESTONES,
    }


def _progress(record: Record, *, where: str) -> float:
    """Return progress by the kind that the task is measured in: physical, units of work, or duration."""

    def amount(name: str) -> float:
        return number_of(record.get(name), where=where) or 0.0

    kind = record.get("complete_pct_type")
    if kind == "CP_Phys":
        return amount("phys_complete_pct") / 100
    if kind == "CP_Units":
        done, to_do = amount("act_work_qty"), amount("remain_work_qty")
    else:
        to_do = amount("remain_drtn_hr_cnt")
        done = amount("target_drtn_hr_cnt") - to_do if record.get("act_start_date") else 0.0
    return round(max(done, 0.0) / (done + to_do), 6) if done + to_do > 0 else float(bool(record.get("act_end_date")))


def _link(record: Record, *, known: dict[str, tuple[str, str, Week | None]], where: str) -> Row:
    unknown = ("", "", None)
    project, after, _ = known.get(record.get("task_id", ""), unknown)
    _, before, week = known.get(record.get("pred_task_id", ""), unknown)
    kind = record.get("pred_type", "")
    return {
        "project_id": project or record.get("proj_id"),
        "predecessor_id": before or record.get("pred_task_id"),
        "successor_id": after or record.get("task_id"),
        "type": KINDS.get(kind, kind),
        "lag_days": days_in(number_of(record.get("lag_hr_cnt"), where=where), week=week),
    }


def _weeks(records: list[Record]) -> dict[str, Week]:
    """Return the calendars by id."""
    weeks = {}
    for record in records:
        name = record.get("clndr_name") or record["clndr_id"]
        hours = number_of(record.get("day_hr_cnt"), where=f"calendar {name}") or 8.0
        weeks[record["clndr_id"]] = Week(name, hours, *_worked(record.get("clndr_data", "")))
    return on_bases(weeks, bases={record["clndr_id"]: record.get("base_clndr_id", "") for record in records})


def _worked(text: str) -> tuple[dict[str, bool], dict[date, bool]]:
    """Return the weekdays and the dates of ``clndr_data``; one is worked where it lists a span with a start."""
    week, _, rest = text.partition("Exceptions")
    days = {WEEK[int(found[1]) - 1]: "s|" in span for found, span in _spans(_WEEKDAY, text=week)}
    dates = {DAY_ZERO + timedelta(int(found[1])): "s|" in span for found, span in _spans(_EXCEPTION, text=rest)}
    return days, dates


def _spans(pattern: re.Pattern[str], *, text: str) -> list[tuple[re.Match[str], str]]:
    """Return each match with the text up to the next."""
    found = list(pattern.finditer(text))
    ends = [*(match.start() for match in found[1:]), len(text)]
    return [(match, text[match.end() : end]) for match, end in zip(found, ends, strict=False)]
