"""Tables of computed health: ratings with their figures, exceptions, actions, gates and artefacts."""

from __future__ import annotations

import pandas as pd

from pmo_lib.tables.html import HtmlTable, Show, html_table
from pmo_lib.theme import quantity, share

SOURCE = Show("source_ref", "Source", "source")
OF = {"overall": "Overall: the worst of four"}


def _figures(rows: pd.DataFrame, *, column: str = "value") -> pd.Series:
    """Write each figure in its unit; null where there is none."""
    pairs = zip(rows[column], rows["unit"], strict=True)
    texts = [None if pd.isna(value) else quantity(value, unit=str(of)) for value, of in pairs]
    return pd.Series(texts, index=rows.index, dtype="object")


def _made_by(rows: pd.DataFrame) -> pd.Series:
    """Write the figure that made each rating: ``forecast finish 127 days``."""
    return rows["measure"].astype("object") + " " + _figures(rows)


def _moved(rows: pd.DataFrame, *, after: str) -> pd.Series:
    """Write a figure before and after: ``forecast finish: 30 days to 127 days``."""
    before, later = _figures(rows, column="value_before"), _figures(rows, column=after)
    return rows["measure"].astype("object") + ": " + before + " to " + later


def ratings_table(ratings: pd.DataFrame) -> HtmlTable:
    """Write every rating with the figure and the limits that made it; see ``metrics.judgement.Judgement.ratings``.

    A dimension that cannot be computed for any project is left out: the sentence above says so.
    """
    known = ratings["rating"].notna() | ratings["kind"].eq("rated by")
    rows = ratings[known.groupby(ratings["dimension"]).transform("any")]
    limits = _figures(rows, column="amber") + " · " + _figures(rows, column="red")
    judged = rows["kind"].eq("rated by")
    rows = rows.assign(
        of=("rated by " + rows["dimension"]).where(judged, rows["dimension"].replace(OF)),
        figure=_made_by(rows), limits=limits, in_words=judged.map({True: "a judgement", False: "not computable"}),
        set_aside=rows["overridden"].map({True: "yes"}),
    )  # fmt: skip
    columns = [
        Show("name", "Project"),
        Show("of", "Rating of"),
        Show("shown", "Rating", "rating", reason="reason"),
        Show("raw", "By this report", "rating", reason="in_words", note="before an improvement has lasted long enough"),
        Show("figure", "Figure", reason="in_words"),
        Show("limits", "Amber · red", reason="in_words", note="a figure above (data: below) the limit"),
        Show("set_aside", "Overridden"),
        Show("scale", "Scale"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption=f"Ratings against {ratings['against'].iloc[0]}, worst first")


def outside_green_table(found: pd.DataFrame) -> HtmlTable:
    """Write the projects that are green outside and red inside; see ``metrics.judgement.Judgement.outside_green``."""
    rows = found.assign(figure=_made_by(found), limit=_figures(found, column="red"))
    columns = [
        Show("name", "Project"),
        Show("assessor_role", "Rater"),
        Show("rating", "Reported", "rating"),
        Show("rating_scale", "Scale"),
        Show("computed", "Computed", "rating"),
        Show("raw", "By this report", "rating"),
        Show("dimension", "Worst in"),
        Show("figure", "Figure of this report"),
        Show("limit", "Red above"),
        Show("assured", "Data assured", "flag"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Reported green, computed red")


def overrides_table(given: pd.DataFrame) -> HtmlTable:
    """Write the ratings set aside; see ``metrics.computed.overrides``."""
    stated = {"why": "not stated", "none_computed": "not computable"}
    columns = [
        Show("name", "Project"),
        Show("dimension", "Dimension"),
        Show("computed", "Computed", "rating", reason="none_computed"),
        Show("rating_from", "Sets aside", "rating", reason="why"),
        Show("rating_to", "Puts instead", "rating", reason="why"),
        Show("counts", "It"),
        Show("why_not", "Because"),
        Show("reason_code", "Reason", "prose", reason="why"),
        Show("evidence", "Evidence", "prose", reason="why"),
        Show("approver", "Approver", reason="why"),
        Show("expires_on", "Valid until", "day", reason="why"),
        SOURCE,
    ]
    return html_table(given.assign(**stated), columns=columns, caption="Overrides: those that count first")


def rerated_table(compared: pd.DataFrame) -> HtmlTable:
    """Write the ratings by each standard; see ``metrics.computed.compare``."""
    columns = [
        Show("standard", "Rated"),
        Show("in_force", "In force here", "flag"),
        *(Show(name, name.capitalize(), "number", reason="reason") for name in ("red", "amber", "green")),
        Show("unknown", "Not computable", "number", reason="reason"),
        Show("differ", "Differ", "number", reason="reason"),
        Show("named", "Which: in force to this", "prose"),
    ]
    return html_table(compared, columns=columns, caption="Overall ratings by each standard, before overrides")


def breaches_table(found: pd.DataFrame) -> HtmlTable:
    """Write the tolerances breached; see ``metrics.exceptions.exceptions``."""
    rows = found.assign(
        figure=_made_by(found), limit=_figures(found, column="red"), trend=found["worse"].map({True: "worse"}),
        at_first=found["from_the_start"].map({True: "or earlier: it was breached in the first report"}),
        no_day="no deadline",
    )  # fmt: skip
    columns = [
        Show("name", "Project"),
        Show("dimension", "Tolerance"),
        Show("figure", "Figure"),
        Show("limit", "Limit"),
        Show("trend", "Since the last report"),
        Show("first_period", "First breached", "month"),
        Show("at_first", "Note"),
        Show("reports", "Reports", "number"),
        Show("ask", "Decision needed", "prose", reason="decision_reason"),
        Show("decider", "By whom"),
        Show("due_on", "Deadline", "day", reason="no_day"),
        Show("actions_open", "Open actions", "number"),
        Show("actions_overdue", "Overdue", "number"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Tolerances breached")


def actions_table(found: pd.DataFrame) -> HtmlTable:
    """Write the corrective actions; see ``metrics.exceptions.corrective_actions``."""
    rows = found.assign(
        moved=_moved(found, after="value_now"), none="not stated", not_open="done", not_done="open",
    )  # fmt: skip
    columns = [
        Show("name", "Project"),
        Show("description", "Action", "prose"),
        Show("owner", "Owner", reason="none"),
        Show("due_on", "Due", "day", reason="none"),
        Show("overdue_days", "Days overdue", "number", reason="not_open", note="negative: still to come"),
        Show("age_days", "Age, days", "number"),
        Show("done_on", "Done", "day", reason="not_done"),
        Show("moved", "Figure, before to now", "prose", reason="value_reason"),
        Show("helped", "It is"),
        Show("effect", "Effect as returned", reason="none"),
        Show("parent", "Serves"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Actions of projects with an exception")


def steps_table(steps: pd.DataFrame) -> HtmlTable:
    """Write how far each decision and action came; see ``metrics.exceptions.loop``."""
    rows = steps.assign(
        moved=_moved(steps, after="value_after"), open="open", none="not stated",
    )  # fmt: skip
    columns = [
        Show("id", "Id"),
        Show("kind", "Kind"),
        Show("name", "Project"),
        Show("what", "Asked for", "prose"),
        Show("by", "By"),
        Show("asked_on", "First in report", "day"),
        Show("due_on", "Due", "day", reason="none"),
        Show("taken_on", "Taken", "day", reason="open"),
        Show("outcome", "Outcome"),
        Show("done_on", "Done", "day"),
        Show("late_days", "Days late", "number"),
        Show("step", "Came to"),
        Show("moved", "Figure, before to after", "prose"),
        Show("helped", "It is"),
        Show("stated", "Effect as returned", "prose"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Decisions and actions, from asked to helped")


def gates_table(gates: pd.DataFrame) -> HtmlTable:
    """Write the calendar of gates; see ``metrics.gates.calendar``."""
    texts = [
        None if pd.isna(part) else f"{int(approved)} of {int(all_of)} ({share(part)})"
        for part, approved, all_of in zip(gates["readiness_share"], gates["approved"], gates["required"], strict=True)
    ]
    columns = [
        Show("name", "Project"),
        Show("gate", "Gate"),
        Show("state", "State"),
        Show("planned_on", "Planned", "day"),
        Show("moved_days", "Moved", "days_signed", reason="moved_reason", note="since the first report; + is later"),
        Show("held_on", "Held", "day", reason="not_held"),
        Show(
            "days", "Days", "number", reason="moved_reason", note="to the day planned, or since it was held (negative)"
        ),
        Show("ready", "Ready: artefacts approved", reason="readiness_reason"),
        Show("outcome", "Outcome", "rating", reason="outcome_reason"),
        Show("conditions", "Conditions", "number", reason="outcome_reason"),
        Show("conditions_open", "Open", "number", reason="open_reason"),
        Show("condition_days", "Open for days", "number", reason="condition_reason"),
        SOURCE,
    ]
    rows = gates.assign(ready=pd.Series(texts, index=gates.index, dtype="object"), not_held="not held")
    return html_table(rows, columns=columns, caption="Gates: overdue, due, with conditions open, later, held")


def ready_table(ready: pd.DataFrame) -> HtmlTable:
    """Write the artefacts by project; see ``metrics.gates.readiness``."""
    columns = [
        Show("name", "Project"),
        Show("stage", "Stage"),
        Show("required", "Required", "number"),
        Show("present", "Present", "number"),
        Show("approved", "Approved", "number"),
        Show("overdue", "Review overdue", "number"),
        Show("readiness_share", "Ready", "share"),
        Show("lacking", "Lacking", "prose"),
        Show("late", "Overdue for review", "prose"),
        SOURCE,
    ]
    return html_table(ready, columns=columns, caption="Artefacts required by the stage, the least ready first")
