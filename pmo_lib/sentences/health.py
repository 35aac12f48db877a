"""Sentences of the health check, written by rule: same figures, same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    """Say what changed: ratings, told and computed, dates, membership, and what promises are worth."""
    since = month(changed["since"].iloc[0])
    told = {(row["topic"], row["change"]): row for row in changed.to_dict("records")}
    worse, better = told["ratings", "worse"], told["ratings", "better"]
    later, earlier = told["finish dates", "later"], told["finish dates", "earlier"]
    sunk, risen = told["computed ratings", "worse"], told["computed ratings", "better"]
    members = [told["membership", change] for change in ("joined", "left", "moved in", "moved out")]
    moves = [_told(row, what=str(row["change"])) for row in members if row["projects"]]
    rated, dated = (
        counted(row["out_of"], noun=f"comparable {noun}") for row, noun in ((worse, "rating"), (later, "finish date"))
    )
    ratings = f"of {rated} {_told(worse, what='got worse')} and {_told(better, what='better')}"
    dates = f"Of {dated} {_told(later, what='moved later')} and {_told(earlier, what='earlier')}."
    said = (
        f"Since {since}, {ratings if worse['out_of'] else 'no rating can be compared'}.",
        *(
            [f"By the figures {_told(sunk, what='got worse')} and {_told(risen, what='better')}."]
            if sunk["out_of"]
            else []
        ),
        dates if later["out_of"] else "No finish date can be compared.",
        f"Projects: {'; '.join(moves)}." if moves else "The same projects are in both reports.",
        _came_true(told["promises", "kept"]),
    )
    return " ".join(said)


def _came_true(kept: dict[Any, Any]) -> str:
    due, n = counted(int(kept["out_of"]), noun="promise"), int(kept["projects"])
    if not kept["out_of"]:
        return "No promise of an earlier report has come due with a known outcome."
    return f"Of {due} of all reports that came due, {n} came true ({share(n / kept['out_of'])})."


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


def _told(row: dict[Any, Any], *, what: str) -> str:
    """Write ``3 got worse (A; B; C, …)``; the dots say that not all are named."""
    more = "; …" if row["projects"] > row["named"].count("; ") + 1 else ""
    return f"{row['projects']} {what}" + (f" ({row['named']}{more})" if row["named"] else "")
