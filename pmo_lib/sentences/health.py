"""Sentences of the health check, written by rule: same figures, same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pmo_lib.contracts.tables import RATINGS
from pmo_lib.theme import counted, money, month, share

if TYPE_CHECKING:
    import pandas as pd


def decisions_sentence(decisions: pd.DataFrame) -> str:
    """Say how many decisions are open, for how much, and which are late; see ``metrics.health.decisions_sought``."""
    amounts = decisions.groupby("currency")["amount"].sum(min_count=1).dropna()
    total = ", ".join(money(float(amount), currency=str(currency)) for currency, amount in amounts.items())
    unpriced = int(decisions["amount"].isna().sum())
    late = decisions["days_left"].lt(0).fillna(value=False)
    said = [f"{counted(len(decisions), noun='decision')} sought" + (f", for {total} in all" if total else "")]
    if unpriced and total:
        said[0] += f" ({unpriced} without an amount)"
    if late.any():
        first = decisions[late].iloc[0]
        said.append(f"{int(late.sum())} past the deadline, first: {first['ask']} ({first['name']})")
    again = int(decisions["asked_before"].gt(0).sum())
    if again:
        said.append(f"{again} asked before")
    return "; ".join(said) + "."


def changes_sentence(changed: pd.DataFrame) -> str:
    """Say in three sentences what changed: ratings, dates, membership; see ``metrics.health.changes``."""
    since = month(changed["since"].iloc[0])
    told = {(row["topic"], row["change"]): row for row in changed.to_dict("records")}
    worse, better = told["ratings", "worse"], told["ratings", "better"]
    later, earlier = told["finish dates", "later"], told["finish dates", "earlier"]
    members = [told["membership", change] for change in ("joined", "left", "moved in", "moved out")]
    moves = [_told(row, what=str(row["change"])) for row in members if row["projects"]]
    rated, dated = (
        counted(row["out_of"], noun=f"comparable {noun}") for row, noun in ((worse, "rating"), (later, "finish date"))
    )
    said = (
        f"Since {since}, of {rated} {_told(worse, what='got worse')} and {_told(better, what='better')}.",
        f"Of {dated} {_told(later, what='moved later')} and {_told(earlier, what='earlier')}.",
        f"Projects: {'; '.join(moves)}." if moves else "The same projects are in both reports.",
    )
    return " ".join(said)


def movers_sentence(moved: pd.DataFrame) -> str:
    """Say how many ratings moved, comparison by comparison; see ``metrics.ratings.movers``."""
    said = []
    for since, rows in moved.groupby("since", sort=False):
        worse, better = (int(rows["movement"].eq(movement).sum()) for movement in ("worse", "better"))
        said.append(f"since {month(str(since))} {worse} worse and {better} better")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}, by the same rater on the same scale."


def flows_sentence(counts: pd.DataFrame) -> str:
    """Say what share of the comparable ratings stayed, rater by rater; see ``metrics.ratings.flows``."""
    said = []
    for (since, role), rows in counts.groupby(["since", "assessor_role"], sort=False):
        total, same = int(rows["projects"].sum()), int(rows.loc[rows["steps"] == 0, "projects"].sum())
        said.append(f"{role}: {same} of {total} the same since {month(str(since))} ({share(same / total)})")
    return "; ".join(said) + "."


def incomparable_sentence(apart: pd.DataFrame) -> str:
    """Say how many ratings cannot be compared; see ``metrics.ratings.incomparable``."""
    notes = apart["note"].str.replace(r"^before: ", "before ", regex=True)
    kinds = notes.str.split(r"[:(]| from ", regex=True).str[0].str.strip()
    reasons = apart.groupby(kinds).size().sort_values(ascending=False, kind="stable")
    listed = ", ".join(f"{reason} ({count})" for reason, count in reasons.items())
    return f"{counted(len(apart), noun='rating')} cannot be compared: {listed}."


def side_by_side_sentence(wide: pd.DataFrame) -> str:
    """Say how many projects have which worst rating, and how many none; see ``metrics.ratings.side_by_side``."""
    raters = [name for name in wide.columns if name.endswith(": rating")]
    rank = wide[raters].apply(lambda column: column.map({rating: place for place, rating in enumerate(RATINGS)}))
    worst = rank.max(axis=1).value_counts()
    said = [f"{int(worst[place])} {RATINGS[int(place)]}" for place in sorted(worst.index, reverse=True)]
    none = int(rank.isna().all(axis=1).sum())
    both = int((rank.notna().sum(axis=1) > 1).sum())
    said += [f"{none} without a published rating"] if none else []
    end = f" {counted(both, noun='project')} rated by more than one." if both else ""
    return f"Of {counted(len(wide), noun='project')}, by the worst rating anyone gave: {', '.join(said)}.{end}"


def counts_sentence(counts: pd.DataFrame) -> str:
    """Say the share of green and red of the latest report, rater by rater; see ``metrics.ratings.counts``."""
    latest = counts[counts["period"] == counts["period"].max()]
    said = []
    for role, rows in latest.groupby("assessor_role"):
        rated = int(rows["rated"].iloc[0])
        if rated:
            green, red = (rows.loc[rows["rating"] == rating, "projects"].sum() / rated for rating in ("green", "red"))
            said.append(f"{role}: {share(green)} green, {share(red)} red (n = {rated})")
    scales = counts.groupby("assessor_role")["rating_scale"].nunique().gt(1)
    changed = [str(role) for role in scales[scales].index]
    end = (
        f" The scale of {', '.join(changed)} changed on the way: rows on different scales are not one trend."
        if changed
        else ""
    )
    return f"In {month(latest['period'].iloc[0])} {'; '.join(said) or 'nobody published a rating'}.{end}"


def drift_sentence(drift: pd.DataFrame) -> str:
    """Say which column is published least now, and how that was at first; see ``metrics.quality.drift``."""
    latest = drift[drift["period"] == drift["period"].max()].sort_values("published_share", kind="stable")
    least = latest.iloc[0]
    before = drift[drift["column_name"] == least["column_name"]].sort_values("period", kind="stable").iloc[0]
    column = str(least["column_name"]).replace("_", " ")
    first = f"{share(before['published_share'])} in {month(before['period'])}"
    return (
        f"Published least in {month(least['period'])}: {column}, {share(least['published_share'])} "
        f"of {counted(int(least['cells']), noun='project')} ({first})."
    )


def withdrawn_sentence(gone: pd.DataFrame) -> str:
    """Say how many values were withdrawn, of how many projects; see ``metrics.quality.withdrawn``."""
    projects = counted(gone["project_id"].nunique(), noun="project")
    return f"Withheld since the last report: {counted(len(gone), noun='value')} of {projects}."


def submissions_sentence(came: pd.DataFrame) -> str:
    """Say how many statuses are missing, and how late the dated ones came; see ``metrics.quality.submissions``."""
    missing = came.loc[came["reason"] == "no status returned", "projects"]
    dated = came[came["days_after"].notna()]
    undated = came.loc[came["reason"].str.contains("does not say"), "status_rows"]
    said = [f"{counted(int(n), noun='project')} without any status" for n in missing] or ["Every project has a status"]
    if len(dated):
        last = counted(int(dated["days_after"].iloc[0]), noun="day")
        said.append(
            f"{counted(int(dated['status_rows'].sum()), noun='row')} came in, the last {last} after the status date"
        )
    said += [f"{counted(int(n), noun='row')} without the day of submission" for n in undated]
    return "; ".join(said) + "."


def findings_sentence(found: pd.DataFrame) -> str:
    """Say how many findings of which severity; see ``metrics.quality.findings_by_rule``."""
    by_severity = found.groupby("severity", sort=False)["findings"].sum()
    return "Intake reports " + ", ".join(counted(int(n), noun=str(s)) for s, n in by_severity.items()) + "."


def _told(row: dict[Any, Any], *, what: str) -> str:
    """Write ``3 got worse (A; B; C, …)``; the dots say that not all are named."""
    more = "; …" if row["projects"] > row["named"].count("; ") + 1 else ""
    return f"{row['projects']} {what}" + (f" ({row['named']}{more})" if row["named"] else "")
