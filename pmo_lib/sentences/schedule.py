"""Sentences about dates, written by rule: same figures, same words."""

from __future__ import annotations

import pandas as pd

from pmo_lib.metrics.track_record import ENOUGH
from pmo_lib.theme import counted, day, month, number, share


def finishes_sentence(moved: pd.DataFrame) -> str:
    """Say how many finishes moved later and by how much; see ``metrics.schedule.finishes``."""
    days = moved["moved_days"].dropna().astype("float64")
    later, earlier = days[days > 0], int(days.lt(0).sum())
    basis, since = moved["basis"].iloc[0], month(moved["since"].iloc[0])
    compared = counted(len(days), noun="project")
    text = f"The {basis} moved later since {since} in {len(later)} of {compared} that can be compared"
    if len(later):
        text += f", by a median of {number(later.median())} days"
    lapsed = int(moved["flag"].str.contains("lapsed").sum())
    said = [f"{text}; earlier in {earlier}."]
    if lapsed:
        said.append(f"{counted(lapsed, noun='date')} had lapsed: flagged in the table.")
    return " ".join(said)


def kept_sentence(record: pd.DataFrame) -> str:
    """Say how many promises of the latest report were kept; see ``metrics.schedule.kept``."""
    latest = record[record["period"] == record["period"].max()]
    said = []
    for kind, rows in latest.groupby("kind", sort=False):
        told = ", ".join(f"{n} {outcome}" for n, outcome in zip(rows["promises"], rows["outcome"], strict=True))
        said.append(f"{str(kind).capitalize()} due by {month(rows['period'].iloc[0])}: {told}.")
    gone = latest["outcome"].eq("left the data").any()
    return " ".join(said) + (" A project that left the data has not thereby finished." if gone else "")


def broken_sentence(lost: pd.DataFrame) -> str:
    """Name the promise that is latest; see ``metrics.schedule.broken``."""
    dated = lost[lost["late_days"].notna()]
    if dated.empty:
        return f"{counted(len(lost), noun='promise')} not met by the day."
    worst = dated.sort_values("late_days", ascending=False, kind="stable").iloc[0]
    what = f"{worst['item']} of {worst['name']}"
    late = counted(int(worst["late_days"]), noun="day")
    return f"{counted(len(lost), noun='promise')} not met by the day; furthest off: {what}, {late}."


def beside_sentence(beside: pd.DataFrame) -> str:
    """Say what the portfolio's past promises are worth, by kind; see ``metrics.track_record.beside``."""
    said = []
    for kind, rows in beside.groupby("kind", sort=False):
        first = rows.iloc[0]
        n = int(first["portfolio_n"])
        if n < ENOUGH:
            said.append(f"{kind}: too few that came due to say (n = {n})")
            continue
        text = f"{kind}: {int(first['portfolio_kept'])} of {n} kept ({share(int(first['portfolio_kept']) / n)})"
        if pd.notna(first["bias"]):
            bias = (
                share(first["bias"], signed=True)
                if first["unit"] == "share"
                else f"{number(first['bias'], signed=True)} days"
            )
            text += f", {bias} on average"
        said.append(text)
    return f"Past promises by kind. {_first_large('; '.join(said))}."


def _first_large(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def variance_sentence(variance: pd.DataFrame) -> str:
    """Set lateness against the original beside that against the current baseline; see ``metrics.baselines``."""
    known = variance[variance["original_days"].notna()]
    original, current = (known[column].astype("float64") for column in ("original_days", "current_days"))
    without = int(variance["versions"].eq(0).sum())
    late, late_now = int(original.gt(0).sum()), int(current.gt(0).sum())
    text = f"Of {counted(len(known), noun='project')} {late} later than the original finish, "
    text += f"{late_now} than the current one"
    return text + (f"; {counted(without, noun='project')} without a baseline." if without else ".")


def rebaselines_sentence(changes: pd.DataFrame) -> str:
    """Say how many re-baselines there were and how many are flagged; see ``metrics.baselines.rebaselines``."""
    flagged = int(changes["flags"].ne("").sum())
    near = int(changes["flags"].str.contains("breach").sum())
    return (
        f"{counted(len(changes), noun='re-baseline')} of {counted(changes['project_id'].nunique(), noun='project')}; "
        f"{flagged} to look at, {near} within one period of a breach."
    )


def due_sentence(due: pd.DataFrame) -> str:
    """Say how many milestones are due and overdue, and name the next; see ``metrics.milestones.due``."""
    overdue = int(due["days_to_go"].lt(0).sum())
    ahead = due[due["days_to_go"].ge(0)]
    text = f"{counted(len(ahead), noun='milestone')} due soon, {overdue} overdue by their own forecast"
    if len(ahead):
        first = ahead.iloc[0]
        text += f"; next: {first['milestone']} of {first['name']} on {day(first['forecast_on'])}"
    return text + "."


def slipping_sentence(slips: pd.DataFrame) -> str:
    """Say how many are missed or at risk, and how many recede as fast as time; see ``metrics.milestones``."""
    missed = int(slips["state"].eq("missed").sum())
    fast = int(slips["slip_rate"].ge(1).sum())
    first = slips.iloc[0]
    return (
        f"{missed} missed and {len(slips) - missed} at risk; the largest slip is {number(first['slip_days'])} days "
        f"({first['milestone']} of {first['name']}). Receding as fast as time passes, or faster: {fast}."
    )


def trend_sentence(trend: pd.DataFrame) -> str:
    """Say how far each followed milestone went since it was first reported; see ``metrics.milestones.trend``."""
    ends = trend.groupby("rank", sort=True).agg(
        label=("label", "first"), first=("expected_on", "first"), last=("expected_on", "last")
    )
    days = (ends["last"] - ends["first"]).dt.days
    later = int(days.gt(0).sum())
    verb = "stands" if later == 1 else "stand"
    said = f"Of {counted(len(ends), noun='milestone')} followed {later} {verb} later than first reported"
    if not later:
        return f"{said}."
    most = ends.assign(days=days).sort_values("days", ascending=False, kind="stable").iloc[0]
    when = f"from {day(most['first'])} to {day(most['last'])}"
    return f"{said}; furthest {most['label']}: {number(most['days'])} days, {when}."


def spread_sentence(counts: pd.DataFrame) -> str:
    """Say which share is unchanged and which cannot be computed; see ``metrics.schedule.spread``."""
    total = int(counts["projects"].sum())
    unchanged, unknown = (
        int(counts.loc[counts["bin"] == name, "projects"].sum())
        for name in ("unchanged", "no movement can be computed")
    )
    said = f"Of {counted(total, noun='project')} {unchanged} ({share(unchanged / total)}) kept the date"
    return f"{said}; for {unknown} no movement can be computed." if unknown else f"{said}."


def cohorts_sentence(trend: pd.DataFrame) -> str:
    """Say how far the oldest cohort has moved, and for how many a date is carried along; see ``metrics.cohorts``."""
    last = trend[trend["return_month"].eq(trend["return_month"].max())]
    oldest = last.iloc[0]
    carried = int(last["carried"].sum())
    followed = counted(int(last["projects"].sum()), noun="project")
    half, fifth = (number(oldest[name], signed=True) for name in ("p50_days", "p80_days"))
    text = (
        f"Of the {counted(int(oldest['projects']), noun='project')} first reported in {oldest['cohort']}, half moved "
        f"the {oldest['basis']} by {half} days or more, and a fifth by {fifth} or more."
    )
    kept = f" {followed} in {counted(len(last), noun='cohort')} are followed and none is ever dropped"
    return f"{text}{kept}; for {carried} the last known date is carried along." if carried else f"{text}{kept}."


def stages_sentence(slips: pd.DataFrame) -> str:
    """Say what the largest class has slipped so far, and who is not in it; see ``metrics.cohorts.slips_by_stage``."""
    first = slips.iloc[0]
    if not first["followed"]:
        least = first["least_reports"]
        return f"No project has a date at first and now, over {least} reports or more: no class of its own yet."
    stage = "" if first["first_stage"] == "stage not stated" else f" first seen in {first['first_stage']}"
    text = (
        f"{counted(int(first['followed']), noun='project')}{stage}: P50 {number(first['p50_days'], signed=True)} days, "
        f"P80 {number(first['p80_days'], signed=True)} days so far; {first['later']} "
        f"{'is' if first['later'] == 1 else 'are'} later."
    )
    if len(slips) == 1 and not stage:
        text += " No stage was returned, so all are one class."
    out = int(slips["projects"].sum() - slips["followed"].sum())
    few = slips.loc[slips["few"] & slips["followed"].gt(0), "first_stage"]
    text += f" {counted(out, noun='project')} cannot be followed yet." if out else ""
    return text + (f" Too few for a class of their own: {', '.join(few)}." if len(few) else "")


def path_sentence(path: pd.DataFrame) -> str:
    """Set the finish that each network computes beside its forecast; see ``metrics.plans.Plans.critical``."""
    said = []
    for name, rows in path.groupby("name", sort=True):
        first = rows.iloc[0]
        if first["reason"]:
            said.append(f"{name}: {first['reason']}.")
            continue
        count = int(rows["standing"].eq("critical").sum())
        text = f"{name} ends on {day(first['project_finish_on'])} by its network"
        if pd.notna(first["project_forecast_on"]):
            days = (first["project_finish_on"] - first["project_forecast_on"]).days
            told = f"{counted(abs(days), noun='day')} {'after' if days > 0 else 'before'}" if days else "the day of"
            text += f", {told} its forecast"
        said.append(f"{text}; {count} of {counted(int(first['open_tasks']), noun='open task')} critical.")
    return " ".join(said)


def tests_sentence(tests: pd.DataFrame) -> str:
    """Say which tests each network does not meet; see ``metrics.plans.Plans.tests``."""
    said = []
    for name, rows in tests.groupby("name", sort=True):
        missed = rows.loc[rows["outcome"].eq("not met"), "test"].tolist()
        unmade = int(rows["outcome"].eq("not applicable").sum())
        text = f"{name} does not meet {len(missed)} of {len(rows)} tests"
        text += f" ({', '.join(missed)})" if missed else ""
        said.append(text + (f"; {unmade} could not be made." if unmade else "."))
    return " ".join(said)


def needs_sentence(needs: pd.DataFrame) -> str:
    """Say how many dependencies are late or agreed by one side, and what the worst breaks; see ``metrics``."""
    spare = needs["float_days"].astype("float64")
    late, whole = int(spare.lt(0).sum()), int(needs["agreement"].eq("both sides").sum())
    text = (
        f"{counted(len(needs), noun='open dependency', plural='open dependencies')}: {late} promised too late, {whole} "
        "agreed by both sides."
    )
    first = needs.iloc[0]
    if late:
        days = counted(int(first["recipient_days"]), noun="day")
        text += f" The latest, {first['item']} for {first['recipient']}, delays it by {days}"
        text += f" and waits on {first['provider']}." if first["provider"] else "."
    return text
