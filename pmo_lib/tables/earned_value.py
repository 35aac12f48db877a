"""Tables of earned value: by month, cost and time of every level, errors of the rules, accuracy of past outlooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmo_lib.tables.html import Form, HtmlTable, Show, html_table

if TYPE_CHECKING:
    import pandas as pd

SOURCE = Show("source_ref", "Source", "source")
FLAGS = Show("flags", "To be asked", "prose")
INDENTS = {"portfolio": "", "programme": "", "project": "· "}
ESTIMATES = {
    "eac_budget": "EAC, rest at budget", "eac_cpi": "EAC, BAC ÷ CPI", "eac_cpi_spi": "EAC, CPI × SPI",
    "eac_weighted": "EAC, weighted", "eac_recent": "EAC, recent CPI", "eac_bottom_up": "EAC, management's",
    "eac_cpi_spi_t": "EAC, CPI × SPI(t)",
}  # fmt: skip
MONEY = [
    Show(name, label, "money", reason="reason")
    for name, label in (("planned_value", "PV"), ("earned_value", "EV"), ("actual_cost", "AC"), ("budget", "BAC"))
]
FINISHES = {
    "es_plan": "AT + (PD − ES)", "es_spi_t": "PD ÷ SPI(t)", "es_cpi_spi_t": "ES, CPI × SPI(t)",
    "anbari_plan": "PD − SV ÷ (BAC ÷ PD)", "anbari_spi": "PD ÷ SPI", "jacob_plan": "Earned duration",
    "jacob_late": "Earned duration, late", "jacob_late_spi": "Late, ÷ SPI", "jacob_late_cpi_spi": "Late, ÷ CPI × SPI",
}  # fmt: skip
KINDS = {"cost": "Cost", "time": "Time"}


def months_table(months: pd.DataFrame) -> HtmlTable:
    """Write planned value, earned value, cost and indices by month; see ``metrics.earned.months``."""
    rows = months.assign(to_come="to come")
    columns = [
        Show("month", "Month", "month"),
        Show("planned_value", "Planned", "money"),
        Show("earned_value", "Earned", "money", reason="to_come"),
        Show("actual_cost", "Spent", "money", reason="to_come"),
        Show("cpi", "CPI", "ratio", reason="cpi_reason"),
        Show("spi", "SPI", "ratio", reason="spi_reason"),
        Show("spi_t", "SPI(t)", "ratio", reason="spi_t_reason"),
        Show("projects", "Projects", "number", reason="to_come"),
        Show("rebaselined", "Re-baselined", "number"),
    ]
    return html_table(rows, columns=columns, caption="Earned value by month, cumulative")


def cost_table(units: pd.DataFrame) -> HtmlTable:
    """Write money, indices and estimates at completion of every level; see ``metrics.earned.units``."""
    columns = [
        Show("name", "Level"),
        Show("measured", "Projects with figures"),
        *MONEY,
        _told("cost_variance", label="CV = EV − AC", form="money_signed"),
        _told("schedule_variance", label="SV = EV − PV", form="money_signed"),
        _told("cost_variance_share", label="CV, share of EV", form="share_signed"),
        _told("schedule_variance_share", label="SV, share of PV", form="share_signed"),
        _told("cpi", label="CPI", form="ratio"),
        _told("spi", label="SPI", form="ratio"),
        _told("complete_share", label="Complete", form="share"),
        _told("spent_share", label="Spent", form="share"),
        _told("tcpi_budget", label="TCPI to budget", form="ratio"),
        *(_told(name, label=label, form="money") for name, label in ESTIMATES.items()),
        _told("estimate_to_complete", label="ETC", form="money"),
        _told("variance_at_completion", label="VAC", form="money_signed"),
        _told("variance_at_completion_share", label="VAC, share of BAC", form="share_signed"),
        _told("tcpi_estimate", label="TCPI to EAC", form="ratio"),
        FLAGS,
        SOURCE,
    ]  # fmt: skip
    caption = "Cost by earned value; ETC, VAC and TCPI to EAC are those of BAC ÷ CPI"
    return html_table(_named(units), columns=columns, caption=caption)


def time_table(units: pd.DataFrame) -> HtmlTable:
    """Write earned schedule and the finish dates by rule of every level; see ``metrics.earned.units``."""
    columns = [
        Show("name", "Level"),
        Show("elapsed_months", "Elapsed (AT), months", "exact", reason="reason"),
        Show("earned_months", "Earned (ES), months", "exact", reason="reason"),
        Show("planned_months", "Planned (PD), months", "exact", reason="plan_reason"),
        _told("schedule_variance_months", label="SV(t) = ES − AT, months", form="exact"),
        _told("spi_t", label="SPI(t)", form="ratio"),
        _told("tspi", label="TSPI to plan", form="ratio"),
        _told("tspi_forecast", label="TSPI to forecast", form="ratio"),
        Show("planned_finish_on", "Planned finish", "day", reason="plan_reason"),
        Show("forecast_finish_on", "Forecast returned", "day"),
        *(Show(f"{name}_on", label, "day", reason=f"{name}_on_reason") for name, label in FINISHES.items()),
        Show("forecast_gap_days", "PD ÷ SPI(t) after the forecast", "days_signed"),
        FLAGS,
        SOURCE,
    ]
    return html_table(_named(units), columns=columns, caption="Time by earned schedule, and finish dates by rule")


def units_table(units: pd.DataFrame) -> HtmlTable:
    """Write cost and time of every unit of the organisation; see ``metrics.across.units``."""
    columns = [
        Show("name", "Unit"),
        Show("level", "Level"),
        Show("portfolios", "Portfolios with figures", "number"),
        Show("measured", "Projects with figures"),
        *MONEY,
        _told("cpi", label="CPI = EV ÷ AC", form="ratio"),
        _told("spi", label="SPI = EV ÷ PV", form="ratio"),
        _told("complete_share", label="Complete", form="share"),
        _told("eac_cpi", label="EAC, BAC ÷ CPI", form="money"),
        _told("variance_at_completion", label="VAC", form="money_signed"),
        _told("variance_at_completion_share", label="VAC, share of BAC", form="share_signed"),
        _told("spi_t", label="SPI(t) = ES ÷ AT", form="ratio"),
        _told("schedule_variance_months", label="SV(t) = ES − AT, months", form="exact"),
        Show("planned_finish_on", "Planned finish", "day"),
        _told("es_spi_t_on", label="Finish at the pace so far", form="day"),
    ]  # fmt: skip
    return html_table(units.assign(measured=_measured(units)), columns=columns, caption="Earned value of every unit")


def bands_table(bands: pd.DataFrame) -> HtmlTable:
    """Write the errors of every rule by share complete; see ``metrics.backtest.error_bands``."""
    rows = bands.assign(kind=bands["kind"].map(KINDS), advice=bands["basis"].where(bands["advised"], ""))
    columns = [
        Show("written", "Rule"),
        Show("kind", "Of"),
        Show("band", "Complete"),
        Show("projects", "Finished projects", "number"),
        Show("forecasts", "Forecasts", "number"),
        Show("median_error", "Median error", "share", reason="reason"),
        Show("p80_error", "P80 error", "share", reason="reason"),
        Show("mean_error", "Mean error", "share", reason="reason"),
        Show("bias", "Bias", "share_signed", reason="reason"),
        Show("lowest", "Lowest mean", "flag"),
        Show("advice", "Believe it for"),
        Show("source", "Source of a borrowed rule"),
    ]
    return html_table(rows, columns=columns, caption="Errors of every rule against what happened")


def past_table(horizons: pd.DataFrame) -> HtmlTable:
    """Write accuracy and bias of past outlooks; see ``metrics.accuracy.by_horizon``."""
    columns = [
        Show("months_ahead", "Months ahead", "number"),
        Show("outlooks", "Outlooks", "number"),
        Show("years", "Years", "number"),
        Show("out_turn", "Out-turn", "money"),
        Show("wape", "WAPE", "share", reason="reason"),
        Show("bias", "Bias", "share_signed", reason="reason", note="positive: the outlook was too high"),
    ]
    return html_table(horizons, columns=columns, caption="Past outlooks of fiscal years against their out-turn")


def _named(units: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as they are read: indented names, and how many projects are in a sum."""
    total = units["level"].ne("project")
    measured = _measured(units).where(total, units["reason"])
    return units.assign(name=units["level"].map(INDENTS) + units["name"].astype("str"), measured=measured)


def _measured(units: pd.DataFrame) -> pd.Series:
    return units["projects_measured"].astype("str") + " of " + units["projects"].astype("str")


def _told(name: str, *, label: str, form: Form) -> Show:
    return Show(name, label, form, reason=f"{name}_reason")


def class_table(classes: pd.DataFrame) -> HtmlTable:
    """Write each class with the running projects beside it; see ``metrics.reference_classes.OutsideView``."""
    few = classes["reason"].mask(classes["reason"].eq(""), "own percentiles stand")
    rows = classes.assign(no_own=few, no_bound=few.where(classes["basis"].ne("no class"), classes["reason"]))
    rows["silent"] = "no running project has both"
    columns = [
        Show("measure", "Of"),
        Show("basis", "Basis"),
        Show("class_name", "Class"),
        Show("projects", "Finished", "number"),
        Show("p50", "P50", "share_signed", reason="no_own"),
        Show("p80", "P80", "share_signed", reason="no_own"),
        Show("upper_bound", "Upper bound", "share_signed", reason="no_bound"),
        Show("running", "Running", "number"),
        Show("growth_so_far", "So far, median", "share_signed", reason="silent"),
        Show("estimate", "Their first estimates", "money", reason="sum_reason"),
        Show("with_class", "with the class", "money", reason="sum_reason"),
        Show("forecast", "Their forecasts", "money", reason="sum_reason"),
        Show("source", "Published by"),
    ]
    return html_table(rows, columns=columns, caption="Growth on the first estimate, by reference class")
