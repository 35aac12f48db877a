"""Tables of dates: finishes, promises, baselines, milestones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics.track_record import ENOUGH
from pmo_lib.tables.html import HtmlTable, Show, html_table
from pmo_lib.theme import counted, day, money, month, number, share

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = Show("source_ref", "Source", "source")


def finishes_table(moved: pd.DataFrame) -> HtmlTable:
    """Write the finish of each project then and now; see ``metrics.schedule.finishes``."""
    since, basis = month(moved["since"].iloc[0]), moved["basis"].iloc[0]
    columns = [
        Show("name", "Project"),
        Show("finish_before_on", f"{basis.capitalize()} in {since}", "day", reason="before_reason"),
        Show("finish_on", f"{basis.capitalize()} now", "day", reason="reason"),
        Show("moved_days", "Moved", "days_signed", reason="reason"),
        Show("start_moved_days", "Approved start moved", "days_signed", reason="start_reason"),
        Show("flag", "To look at"),
        SOURCE,
    ]
    rows = moved.assign(before_reason=moved["reason"].where(moved["finish_on"].notna(), "–"))
    return html_table(rows, columns=columns, caption=f"Movement of the {basis} since {since}; + is later")


def spread_table(counts: pd.DataFrame) -> HtmlTable:
    """Write how many finishes moved how far; see ``metrics.schedule.spread``."""
    columns = [Show("bin", f"{counts['basis'].iloc[0].capitalize()} moved"), Show("projects", "Projects", "number")]
    return html_table(counts, columns=columns, caption=f"Since {month(counts['since'].iloc[0])}")


def kept_table(record: pd.DataFrame) -> HtmlTable:
    """Write what became of promises; see ``metrics.schedule.kept``."""
    columns = [
        Show("kind", "Promise"),
        Show("period", "Judged in", "month"),
        Show("since", "Promised in", "month"),
        Show("outcome", "Outcome"),
        Show("promises", "Promises", "number"),
        Show("share", "Share", "share"),
        Show("out_of", "Out of", "number"),
    ]
    return html_table(record, columns=columns, caption="Dates promised at one report for the time until the next")


def broken_table(lost: pd.DataFrame) -> HtmlTable:
    """Write the promises that were not met in time; see ``metrics.schedule.broken``."""
    columns = [
        Show("name", "Project"),
        Show("kind", "Promise"),
        Show("item", "What"),
        Show("promised_on", "Promised for", "day"),
        Show("outcome", "Outcome"),
        Show("now_on", "Date now", "day", reason="outcome"),
        Show("late_days", "Late so far", "days", reason="outcome"),
    ]
    return html_table(lost, columns=columns, caption="Promises not met by their day")


def beside_table(beside: pd.DataFrame) -> HtmlTable:
    """Write each present promise beside what became of earlier ones; see ``metrics.track_record.beside``."""
    rows = beside.assign(
        promise=[_promise(row) for row in beside.to_dict("records")],
        expected=[_expected(row) for row in beside.to_dict("records")],
        what=beside["item"].where(beside["kind"].isin(["milestone", "back to a better rating"]), beside["kind"]),
        **{whose: [_record(row, whose=whose) for row in beside.to_dict("records")] for whose in WHOSE},
    )
    columns = [
        Show("name", "Project"),
        Show("what", "Promise"),
        Show("promise", "Promised now"),
        Show("own", "This project's earlier ones"),
        Show("by_forecaster", "Its forecaster's"),
        Show("by_portfolio", "The portfolio's"),
        Show("expected", "If it goes as they went"),
        Show("forecaster", "Forecaster"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Present promises, and what became of earlier ones of their kind")


WHOSE = {"own": "own", "by_forecaster": "forecaster", "by_portfolio": "portfolio"}


def _record(row: Mapping[Any, Any], *, whose: str) -> str:
    """Write ``3 of 12 kept, median 45 days late``; fewer than five are too few to say."""
    n = int(row[f"{WHOSE[whose]}_n"])
    if n < ENOUGH:
        return f"too few (n = {n})"
    return f"{int(row[f'{WHOSE[whose]}_kept'])} of {n} kept{_missed(row[f'{WHOSE[whose]}_median'], unit=row['unit'])}"


def _missed(median: float, *, unit: str) -> str:
    if pd.isna(median) or not unit:
        return ""
    if unit == "share":
        return f", median {share(median, signed=True, decimals=1)}"
    late = "late" if median > 0 else "early"
    return f", median {counted(abs(round(median)), noun='day')} {late}" if round(median) else ", median on the day"


def _promise(row: Mapping[Any, Any]) -> str:
    return day(row["promised_on"]) if pd.notna(row["promised_on"]) else _amount(row["promised_amount"], row=row)


def _expected(row: Mapping[Any, Any]) -> str:
    if not row["expected_by"]:
        return "too few to say"
    whose = {"own": "its own", "forecaster": "forecaster", "portfolio": "portfolio"}[row["expected_by"]]
    if pd.notna(row["expected_on"]):
        return f"{day(row['expected_on'])} ({whose})"
    return f"{_amount(row['expected_amount'], row=row)} ({whose})" if pd.notna(row["expected_amount"]) else "–"


def _amount(value: float, *, row: Mapping[Any, Any]) -> str:
    return money(value, currency=str(row["currency"]))


def variance_table(variance: pd.DataFrame) -> HtmlTable:
    """Write expected finish and cost against each baseline; see ``metrics.baselines.variance``."""
    columns = [
        Show("name", "Project"),
        Show("versions", "Baselines", "number"),
        Show("original_finish_on", "Original finish", "day", reason="finish_reason"),
        Show("current_finish_on", "Current finish", "day", reason="finish_reason"),
        Show("finish_on", "Expected finish", "day", reason="finish_reason"),
        Show("original_days", "Later than original", "days_signed", reason="finish_reason"),
        Show("previous_days", "than previous", "days_signed", reason="previous_reason"),
        Show("current_days", "than current", "days_signed", reason="finish_reason"),
        Show("original_growth", "Cost above original", "money_signed", reason="growth_reason"),
        Show("current_growth", "above current", "money_signed", reason="growth_reason"),
        Show("original_share", "Growth on original", "share_signed", reason="growth_reason"),
        SOURCE,
    ]
    return html_table(
        variance, columns=columns, caption="Expected finish and cost against baselines; + is later, dearer"
    )


def rebaselines_table(changes: pd.DataFrame) -> HtmlTable:
    """Write every re-baseline with what it moved and what is odd; see ``metrics.baselines.rebaselines``."""
    rows = changes.assign(absent="not stated")
    columns = [
        Show("name", "Project"),
        Show("version", "Version"),
        Show("kind", "Kind", reason="absent"),
        Show("change_id", "Change request", reason="absent"),
        Show("approved_on", "Approved", "day", reason="absent"),
        Show("approver", "By", reason="absent"),
        Show("finish_moved_days", "Finish moved", "days_signed", reason="absent"),
        Show("budget_change", "Budget", "money_signed", reason="absent"),
        Show("breach", "Standing before", reason="breach_reason"),
        Show("flags", "To look at", "prose"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Re-baselines, the latest first")


def due_table(due: pd.DataFrame) -> HtmlTable:
    """Write what is overdue or due soon; see ``metrics.milestones.due``."""
    columns = [
        Show("milestone", "Milestone"),
        Show("name", "Project"),
        Show("kind", "Kind"),
        Show("forecast_on", "Forecast", "day"),
        Show("days_to_go", "To go", "days_signed"),
        Show("baseline_on", "Baseline", "day", reason="slip_reason"),
        Show("slip_days", "Slip", "days_signed", reason="slip_reason"),
        Show("critical", "Critical", "flag"),
        Show("owner", "Owner", reason="no_owner"),
        SOURCE,
    ]
    rows = due.assign(no_owner="nobody named")
    return html_table(rows, columns=columns, caption="Open milestones by forecast date; a negative number is overdue")


def slipping_table(slips: pd.DataFrame) -> HtmlTable:
    """Write the missed and the endangered by slip; see ``metrics.milestones.slipping``."""
    columns = [
        Show("milestone", "Milestone"),
        Show("name", "Project"),
        Show("state", "State"),
        Show("baseline_on", "Baseline", "day", reason="slip_reason"),
        Show("forecast_on", "Forecast", "day", reason="slip_reason"),
        Show("slip_days", "Slip", "days_signed", reason="slip_reason"),
        Show("float_days", "Float", "days", reason="network_reason"),
        Show("followers", "After it", "number", reason="network_reason", note="tasks that follow in the network"),
        Show("slip_rate", "Slip rate", "ratio", reason="rate_reason"),
        Show("owner", "Owner", reason="no_owner"),
        SOURCE,
    ]
    return html_table(
        slips.assign(no_owner="nobody named"), columns=columns, caption="Missed or at risk, largest slip first"
    )


def trend_table(trend: pd.DataFrame) -> HtmlTable:
    """Write the reported dates behind the trend; see ``metrics.milestones.trend``."""
    columns = [
        Show("label", "Project and milestone"),
        Show("status_date", "Reported", "day"),
        Show("expected_on", "Date", "day"),
        Show("met", "Met", "flag"),
    ]
    return html_table(trend, columns=columns, caption="Reported dates of the milestones that slip most")


def cohorts_table(trend: pd.DataFrame) -> HtmlTable:
    """Write the movement of each cohort, report by report; see ``metrics.cohorts.trend``."""
    columns = [
        Show("cohort", "First reported in"),
        Show("return_month", "Report", "month"),
        Show("projects", "Projects", "number"),
        Show("dated", "With a date in it", "number"),
        Show("carried", "Last date carried along", "number"),
        Show("p50_days", "Moved, P50", "days_signed"),
        Show("p80_days", "Moved, P80", "days_signed"),
    ]
    return html_table(trend, columns=columns, caption="Movement since each project's first report; + is later")


def stages_table(slips: pd.DataFrame) -> HtmlTable:
    """Write the slips of each class with what is not in it; see ``metrics.cohorts.slips_by_stage``."""
    few = slips["few"].map({True: "few: borrow a published class", False: "own class"})
    rows = slips.assign(use=few, none="no project was followed")
    columns = [
        Show("first_stage", "First seen in"),
        Show("projects", "Projects", "number"),
        Show("followed", "Followed to this report", "number"),
        Show("later", "Later", "number"),
        Show("p50_days", "P50", "days_signed", reason="none"),
        Show("p80_days", "P80", "days_signed", reason="none"),
        Show("least_days", "Least", "days_signed", reason="none"),
        Show("most_days", "Most", "days_signed", reason="none"),
        Show("no_first_date", "No date at first", "number"),
        Show("no_date_now", "No date now, or left", "number"),
        Show("too_few_reports", "In too few reports", "number"),
        Show("use", "Use"),
    ]
    least = int(slips["least_reports"].iloc[0])
    return html_table(rows, columns=columns, caption=f"Movement so far of projects in at least {least} reports")


def path_table(path: pd.DataFrame) -> HtmlTable:
    """Write the critical and nearly critical tasks; see ``metrics.plans.Plans.critical``."""
    columns = [
        Show("task", "Task"),
        Show("name", "Project"),
        Show("standing", "Standing", reason="reason"),
        Show("start_on", "Earliest start", "day", reason="reason"),
        Show("finish_on", "Earliest finish", "day", reason="reason"),
        Show("forecast_on", "Forecast finish", "day", reason="no_forecast"),
        Show("later_days", "Network later by", "days_signed", reason="no_forecast"),
        Show("total_float_days", "Total float", "days", reason="reason"),
        Show("free_float_days", "Free float", "days", reason="reason"),
        Show("followers", "Tasks after it", "number"),
        SOURCE,
    ]
    rows = path.assign(no_forecast="no forecast returned")
    return html_table(rows, columns=columns, caption="Open tasks on the critical path and near it, by early start")


def tests_table(tests: pd.DataFrame) -> HtmlTable:
    """Write the fourteen tests of each network; see ``metrics.plans.Plans.tests``."""
    values = zip(tests["value"], tests["form"], strict=True)
    rows = tests.assign(
        label=tests["number"].astype("str") + " " + tests["test"],
        result=pd.Series([_result(value, form=form) for value, form in values], index=tests.index, dtype="str"),
    )
    columns = [
        Show("label", "Test"),
        Show("name", "Project"),
        Show("outcome", "Outcome"),
        Show("result", "Result", reason="reason"),
        Show("threshold", "Threshold"),
        Show("offenders", "Offenders", "number"),
        Show("out_of", "Out of", "number"),
        Show("named", "Which", "prose"),
        Show("rule", "Rule", "prose"),
    ]
    return html_table(rows, columns=columns, caption="Fourteen tests of each schedule network")


def _result(value: float | None, *, form: str) -> str | None:
    if value is None or pd.isna(value):
        return None
    return share(value) if form == "share" else f"{number(value)} days" if form == "days" else number(value, decimals=2)


def needs_table(needs: pd.DataFrame) -> HtmlTable:
    """Write what projects need of each other; see ``metrics.dependencies.dependencies``."""
    rows = needs.assign(
        absent="not stated", nothing=needs["float_reason"].mask(needs["float_reason"].eq(""), "nothing")
    )
    rows["breaks"] = rows["breaks"].mask(rows["breaks"].eq(""))
    columns = [
        Show("item", "Item"),
        Show("provider", "Provided by"),
        Show("recipient", "Needed by"),
        Show("agreement", "Agreed by"),
        Show("status", "State", reason="absent"),
        Show("needed_on", "Needed", "day", reason="absent"),
        Show("promised_on", "Promised", "day", reason="absent"),
        Show("float_days", "Float", "days_signed", reason="float_reason"),
        Show("recipient_days", "Delays it by", "days", reason="float_reason"),
        Show("breaks", "Delayed", "prose", reason="nothing"),
        Show("reach", "Projects that wait", "number"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Open dependencies between projects, least float first")
