"""Sentences of the roll-up, written by rule: same figures, same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.facts import NO_REPORT, RISK
from pmo_lib.metrics.hierarchy import WITHOUT, in_words
from pmo_lib.metrics.movement import MOVED_IN, MOVED_OUT, NOT_RETURNED, RETURNED
from pmo_lib.metrics.portfolio import COMPLETE, ENDED
from pmo_lib.metrics.submission import LATE, PARTIAL
from pmo_lib.theme import counted, money, month, number, share

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMED = 5
FEW = 3


def coverage_sentence(covered: pd.DataFrame) -> str:
    """Say how many reports are there, and who returned nothing, in part or late; see ``metrics.standing``."""
    owing = covered[covered["state"].ne(ENDED)]
    published, owed = int(owing["published"].sum()), int(owing["owed"].sum())
    lacking = owing.loc[owing["state"].ne(COMPLETE), "name"]
    ended = covered.loc[covered["state"].eq(ENDED), "name"]
    said = [f"{published} of {counted(owed, noun='report')} of {counted(len(owing), noun='portfolio')} are published."]
    if len(lacking):
        said.append(f"Not complete: {_listed(lacking)}. Totals that lack them say so, and nothing below counts them.")
    said += _standing(owing)
    if len(ended):
        said.append(f"No longer in the returns: {_listed(ended)}.")
    return " ".join(said)


def _standing(owing: pd.DataFrame) -> list[str]:
    """Name who did not return, and what is last known of them; who returned in part; who was late."""
    silent = owing[~owing["usable"].astype("bool")]
    known = [
        f"{row['name']} ({row['arrival']}, last known {month(row['last_period'])})"
        if isinstance(row["last_period"], str)
        else f"{row['name']} ({row['arrival']}, nothing known)"
        for row in silent.to_dict("records")
    ]
    rest = owing[owing["usable"].astype("bool")]
    partial = rest.loc[rest["arrival"].eq(PARTIAL), "name"]
    late = [
        f"{row['name']} ({counted(int(row['days_late']), noun='day')})"
        for row in rest[rest["punctuality"].eq(LATE)].to_dict("records")
    ]
    kinds = (("Nothing usable came of", known), ("In part came", partial), ("Late came", late))
    return [f"{what} {_listed(names)}." for what, names in kinds if len(names)]


def hierarchy_sentence(tree: pd.DataFrame) -> str:
    """Say what the whole is, what it is without, and what nobody reported; see ``metrics.hierarchy.rollup``."""
    top = tree.iloc[0]
    currency = str(top["currency"])
    said = [f"{top['name']}: {counted(_whole(top['projects']), noun='project')}"]
    if pd.notna(top["cost_now"]):
        said.append(
            f"whole-life cost {money(top['cost_now'], currency=currency)} "
            f"({counted(_whole(top['costs_known']), noun='project')} with a single figure)"
        )
    if pd.notna(top["risks_open"]):
        said.append(f"{counted(_whole(top['risks_open']), noun='open risk')}")
    text = ", ".join(said) + "."
    if pd.notna(top["cost_last_known"]):
        text += (
            f" Not in it: {money(top['cost_last_known'], currency=currency)}, the last known cost of projects that "
            "returned none."
        )
    lacking = in_words(tree.head(1))[0]
    if lacking:
        text += f" Incomplete: without {lacking}."
    if pd.isna(top["risks_open"]) and not top.get(WITHOUT + RISK):
        text += " No portfolio returned a risk register: risks have no column."
    return text


def reconciliation_sentence(reconciled: pd.DataFrame) -> str:
    """Say that all ways to each total agree; the page would not be there if they did not; see ``metrics.portfolio``."""
    known = reconciled[reconciled["rows"].gt(0)]
    wholes = known[known["portfolio_id"].eq("")]
    single = len(known) - len(wholes)
    return (
        f"Reconciled to the minor unit: {counted(len(wholes), noun='total')}. The sum of the project rows, that of the "
        "portfolios' published figures and the top of the hierarchy are equal; so are rows and figure in "
        f"{counted(single, noun='comparison')} portfolio by portfolio."
    )


def bridge_sentence(steps: pd.DataFrame) -> str:
    """Say from what to what, by which causes, and that moves net to nil; see ``metrics.portfolio.cost_bridge``."""
    first, last = steps.iloc[0], steps.iloc[-1]
    currency = str(first["currency"])
    moved = steps[steps["step"].isin([MOVED_IN, MOVED_OUT])]
    causes = steps[steps["kind"].eq("cause") & ~steps.index.isin(moved.index) & steps["amount"].ne(0)]
    parts = [
        f"{row['step']} {money(row['amount'], currency=currency, signed=True)}" for row in causes.to_dict("records")
    ]
    text = (
        f"Whole-life cost went from {money(first['amount'], currency=currency)} "
        f"to {money(last['amount'], currency=currency)}: {', '.join(parts)}."
    )
    if len(moved):
        text += _moves_in_words(moved, currency=currency)
    if causes["step"].isin([NOT_RETURNED, RETURNED]).any():
        text += " What is not returned is no fall, nor its return a rise: the last known stands in the table above."
    if causes["step"].eq(NO_REPORT).any():
        text += " What has no report now has not fallen: it is in the first total only."
    return text


def largest_sentence(movements: pd.DataFrame) -> str:
    """Name the three projects that moved the total most; see ``metrics.portfolio.largest_movements``."""
    named = [
        f"{row['name']} ({row['cause']}, {money(row['amount'], currency=str(row['currency']), signed=True)})"
        for row in movements.head(FEW).to_dict("records")
    ]
    return f"Largest: {'; '.join(named)}."


def in_year_sentence(years: pd.DataFrame) -> str:
    """Say how the latest year stands against plan, with n; see ``metrics.portfolio.in_year_by_period``."""
    last = years.iloc[-1]
    way = "under" if last["variance"] < 0 else "over"
    text = (
        f"In {month(last['period'])} the outlook is {money(abs(last['variance']), currency=str(last['currency']))} "
        f"({share(abs(last['variance_share']), decimals=1)}) {way} plan, over the "
        f"{last['in_year_known']} of {counted(int(last['projects']), noun='project')} that publish both."
    )
    before = years.iloc[:-1]
    if len(before) and before["variance"].lt(0).all() and last["variance"] < 0:
        text += f" It was under in each of the {counted(len(before), noun='report')} before as well."
    return text


def unit_sentence(years: pd.DataFrame) -> str:
    """Name the portfolios furthest from plan; see ``metrics.portfolio.in_year_by_portfolio``."""
    known = years[years["variance_share"].notna()]
    named = [
        f"{row['name']} ({share(row['variance_share'], signed=True)})" for row in known.head(FEW).to_dict("records")
    ]
    return f"Furthest from plan: {_listed(named)}." if named else "No portfolio has both plan and outlook."


def under_sentence(under: pd.DataFrame) -> str:
    """Say how many projects were under plan year after year, of how many; see ``metrics.portfolio.under_for_years``."""
    first = under.iloc[0]
    return (
        f"{len(under)} of {counted(int(first['known']), noun='project')} whose last {first['years']} years are known "
        f"were under plan by more than the tolerance in every one of them."
    )


def underspends_sentence(underspends: pd.DataFrame) -> str:
    """Say how many large underspends left the finish where it was; see ``metrics.portfolio.underspends_by_year``."""
    kept, dated = int(underspends["kept"].sum()), int(underspends["underspends"].sum())
    rows = counted(dated, noun="project-year")
    text = f"{kept or 'None'} of {rows} with a large underspend kept the finish, or promise an earlier one"
    if dated:
        return f"{text} ({share(kept / dated)}): less was done, and the same end is promised." if kept else f"{text}."
    silent = counted(int(underspends["not_dated"].sum()), noun="project-year")
    return f"{silent} with a large underspend; none has a finish of the year before to compare."


def finishes_sentence(finishes: pd.DataFrame) -> str:
    """Say how many finishes moved later and by how much; see ``metrics.portfolio.finish_movements``."""
    days = finishes["moved_days"].dropna().astype("float64")
    later, earlier = days[days > 0], int(days.lt(0).sum())
    if days.empty:
        return f"No finish of {counted(len(finishes), noun='project')} can be compared."
    text = f"Later in {len(later)} of {counted(len(days), noun='project')} that can be compared"
    text += f", by a median of {number(later.median())} days" if len(later) else ""
    return f"{text}; earlier in {earlier}. Of {counted(len(finishes) - len(days), noun='project')} nothing can be said."


def disclosure_sentence(shares: pd.DataFrame) -> str:
    """Say how much is published now and at first; see ``metrics.portfolio.disclosure_by_period``."""
    first, last = shares.iloc[0], shares.iloc[-1]
    text = (
        f"In {month(last['period'])} {last['published']} of {counted(int(last['projects']), noun='project')} "
        f"({share(last['share'])}) publish a single whole-life cost"
    )
    return f"{text}; in {month(first['period'])} it was {share(first['share'])}." if len(shares) > 1 else f"{text}."


def structure_sentence(structures: pd.DataFrame) -> str:
    """Say which units today's structure makes larger or smaller in the past; see ``metrics.structure.structures``."""
    periods = sorted(set(structures["period"]))
    changed = structures[structures["difference"].ne(0)]
    text = f"{counted(len(periods), noun='report')} on two structures, with equal totals."
    if changed.empty:
        return f"{text} No project stands elsewhere today than it did then."
    earliest = changed[changed["period"].eq(changed["period"].min())]
    largest = earliest.loc[earliest["difference"].abs().sort_values(kind="stable").index[-1]]
    amount = money(largest["difference"], currency=str(largest["currency"]), signed=True)
    fate = f" ({largest['fate']})" if largest["fate"] else ""
    return f"{text} The largest shift in {month(largest['period'])}: {largest['name']}{fate} {amount}."


def moves_sentence(moves: pd.DataFrame) -> str:
    """Say how many projects changed portfolio in each report; see ``metrics.structure.moves_by_period``."""
    most = moves.loc[moves["before"].sort_values(kind="stable").index[-1]]
    return (
        f"{counted(int(moves['projects'].sum()), noun='move')} of projects between portfolios; most money in "
        f"{month(most['period'])}: {counted(int(most['projects']), noun='project')} with "
        f"{money(most['before'], currency=str(most['currency']))} before the move."
    )


def clients_sentence(clients: pd.DataFrame) -> str:
    """Say how many units are served without delivering; see ``metrics.hierarchy.clients``."""
    served = clients[clients["delivers"].eq(0) & clients["serves"].gt(0)]
    apart, costed = int(clients["costed_for_others"].sum()), int(clients["costed"].sum())
    amount = money(clients["cost_for_others"].sum(), currency=str(clients["currency"].iloc[0]))
    return (
        f"{apart} of {counted(costed, noun='project')} with a cost ({amount}) serve another unit than the one that "
        f"delivers them. Both hierarchies hold the same {counted(int(clients['delivers'].sum()), noun='project')}; "
        f"{counted(len(served), noun='unit')} {'delivers none and is' if len(served) == 1 else 'deliver none and are'} "
        "only served."
    )


def exposure_sentence(exposure: pd.DataFrame) -> str:
    """Say how many risks are open, what they may cost, and who returned no register; see ``metrics.portfolio``."""
    known = exposure[exposure["risks_open"].notna()]
    total, currency = known["exposure"].sum(min_count=1), str(exposure["currency"].iloc[0])
    text = f"{counted(_whole(known['risks_open'].sum()), noun='risk')} open in {counted(len(known), noun='portfolio')}"
    text += f", net expected money {money(total, currency=currency)}" if pd.notna(total) else ""
    blind = _whole(known["risks_unquantified"].sum())
    text += f"; {number(blind)} of them without money" if blind else ""
    silent = exposure.loc[exposure["risks_open"].isna(), "name"]
    return text + (f". Without a register: {_listed(silent)}." if len(silent) else ".")


def control_sentence(totals: pd.DataFrame) -> str:
    """Say what the extract holds; see ``extracts.control_totals``."""
    return (
        f"{counted(len(totals), noun='CSV file')} with {number(int(totals['rows'].sum()))} rows stand beside this page "
        "in the folder extract, with extract.json (columns, meanings, control totals) and its JSON Schema."
    )


def _moves_in_words(moved: pd.DataFrame, *, currency: str) -> str:
    amounts = moved.set_index("step")["amount"]
    came, went = float(amounts.get(MOVED_IN, 0.0)), float(amounts.get(MOVED_OUT, 0.0))
    net = round((came + went) * 100) / 100
    projects = int(moved["projects"].max())
    text = (
        f" {counted(projects, noun='project')} with {money(came or -went, currency=currency)} moved between portfolios"
    )
    if net == 0:
        return f"{text}: {money(came, currency=currency, signed=True)} and {money(went, currency=currency)} net to nil."
    return f"{text}; {money(net, currency=currency, signed=True)} of it has no counterpart among the reports."


def _listed(names: Iterable[object], *, limit: int = NAMED) -> str:
    words = [str(name) for name in names]
    more = f" and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more


def _whole(value: float) -> int:
    return 0 if pd.isna(value) else int(value)
