"""Risk sentences: what to see in each exhibit, by rule; the same figures give the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.theme import counted, day, money, month, number

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMED = 3
GONE = ("closed", "occurred", "dropped", "moved out")  # out of this register: their score says nothing more
NO_COST = ". No single whole-life cost is stated there"


def _named(names: Iterable[Any], *, limit: int = NAMED) -> str:
    """Join names as in a sentence, and say how many more there are."""
    words = [str(name) for name in names]
    if len(words) > limit:
        return f"{', '.join(words[:limit])} and {len(words) - limit} more"
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _titled(rows: pd.DataFrame) -> list[str]:
    return [f"{risk} “{title}”" for risk, title in zip(rows["risk_id"], rows["title"], strict=True)]


def _currency(rows: pd.DataFrame) -> str:
    found = rows["currency"].replace("", None).dropna()
    return str(found.iloc[0]) if len(found) else ""


def headline_sentence(headline: pd.DataFrame) -> str:
    """Say what the open risks may cost on average, how that moved, and what is not in it."""
    net, currency = headline.iloc[-1], _currency(headline)
    text = f"{counted(int(net['risks_open']), noun='risk')} open"
    if pd.isna(net["expected_money"]):
        return f"{text}; exposure in money is not known: {net['money_reason']}."
    parts = [
        f"{money(abs(row['expected_money']), currency=currency)} of {word}"
        for kind, word in (("threat", "threats"), ("opportunity", "opportunities"))
        for row in headline.loc[headline["kind"].eq(kind) & headline["expected_money"].notna()].to_dict("records")
    ]
    text += f" with a net exposure of {money(net['expected_money'], currency=currency)} ({' less '.join(parts)})"
    if pd.notna(net["expected_days"]):
        text += f" and {number(net['expected_days'])} days, added up risk by risk"
    if pd.notna(net["moved_money"]):
        text += f"; {money(net['moved_money'], currency=currency, signed=True)} since the last register"
    gaps = int(net["risks_unquantified"])
    return f"{text}. " + (
        f"{counted(gaps, noun='risk')} without money {'is' if gaps == 1 else 'are'} not in these sums."
        if gaps
        else "All of them are quantified."
    )


def wanted_sentence(wanted: pd.DataFrame) -> str:
    """Say how many projects have no open risk, and where a register is most wanted."""
    loud = wanted.loc[wanted["signs"].gt(0)]
    text = f"{counted(len(wanted), noun='project')} without an open risk in the register"
    if loud.empty:
        return f"{text}; none of them carries a sign that calls for one."
    low, known = int(loud["low_confidence"].fillna(value=False).sum()), loud["whole_life_cost"].dropna()
    text += f"; {len(loud)} {'carries' if len(loud) == 1 else 'carry'} a sign that calls for one"
    text += f", {low} of them rated red or amber/red" if low else ""
    one = f". A single whole-life cost is stated for {len(known)} of the {len(loud)}"
    text += f"{one}: {money(known.sum(), currency=_currency(loud))}" if len(known) else NO_COST
    return f"{text}. Most wanted: {_named(loud['name'].head(NAMED))}."


def spoken_sentence(spoken: pd.DataFrame) -> str:
    """Say how many projects speak of risk in their texts; what they say is quoted, not judged."""
    projects = counted(spoken["project_id"].nunique(), noun="project")
    return f"{counted(len(spoken), noun='sentence')} of {projects} speak of risk; they are quoted as they stand."


def cover_sentence(cover: pd.DataFrame) -> str:
    """Say which projects have more exposure than contingency left, and where contingency is unknown."""
    short = cover.loc[cover["uncovered"].gt(0)]
    unknown = cover.loc[
        cover["expected_money"].notna() & cover["contingency_left"].isna() & cover["project_id"].notna()
    ]
    known = cover.loc[cover["uncovered"].notna()]
    text = f"Of {counted(len(known), noun='project')} with both figures, {len(short)} "
    text += f"{'has' if len(short) == 1 else 'have'} more exposure than contingency left"
    if len(short):
        text += f", {money(short['uncovered'].sum(), currency=_currency(cover))} in all: {_named(short['name'])}"
    return f"{text}." + (
        f" For {counted(len(unknown), noun='project')} no contingency is known." if len(unknown) else ""
    )


def bridge_sentence(bridge: pd.DataFrame) -> str:
    """Say by how much net exposure moved and which two causes moved it most."""
    first, last = bridge.iloc[0], bridge.iloc[-1]
    currency = _currency(bridge)
    causes = bridge.loc[~bridge["is_total"]]
    largest = causes.loc[causes["amount"].abs().sort_values(ascending=False, kind="stable").index].head(2)
    words = [
        f"{step} ({money(amount, currency=currency, signed=True)})"
        for step, amount in zip(largest["step"], largest["amount"], strict=True)
    ]
    moved = money(last["amount"] - first["amount"], currency=currency, signed=True)
    since = month(str(first["compared_with"]))
    text = f"Net exposure moved by {moved} since {since}, to {money(last['amount'], currency=currency)}"
    return f"{text}; largest causes: {' and '.join(words)}." if words else f"{text}: nothing moved."


def moves_sentence(movements: pd.DataFrame) -> str:
    """Say how many risks came, went and moved, and name those that were dropped without being closed."""
    counts = movements["what"].value_counts()
    words = [
        f"{counts[what]} {what}"
        for what in ("new", "re-opened", "re-appeared", "escalated", "de-escalated", "closed", "occurred", "dropped",
                     "moved in", "moved out")
        if what in counts.index
    ]  # fmt: skip
    moved = movements["moved_score"].mask(movements["what"].isin(GONE)).fillna(0)
    up, down = int(moved.gt(0).sum()), int(moved.lt(0).sum())
    since = month(str(movements["compared_with"].iloc[0]))
    text = f"Since {since}: {', '.join(words) or 'none came or went'}; {up} scored higher and {down} lower than before."
    dropped = movements.loc[movements["what"].eq("dropped")]
    return f"{text} Dropped without being closed: {_named(_titled(dropped))}." if len(dropped) else text


def heat_sentence(heat: pd.DataFrame) -> str:
    """Say how many threats stand above appetite now, before any response, and as aimed at."""
    cells = heat.assign(feared=heat["risks"] - heat["opportunities"])
    above = cells.loc[cells["above_appetite"].astype(bool)].groupby("stance")["feared"].sum()
    current = cells.loc[cells["stance"].eq("current")]
    chances = int(current["opportunities"].sum())
    text = (
        f"{above['current']} of {counted(int(current['feared'].sum()), noun='threat')} in the matrix stand above the "
        f"appetite line; {above['inherent']} did before any response, {above['target']} would at their targets."
    )
    text += f" {counted(chances, noun='opportunity', plural='opportunities')} beside them." if chances else ""
    gaps = heat.drop_duplicates("stance").set_index("stance")["risks_without_levels"]
    lacking = [
        f"{gaps[stance]} without {stance} levels" for stance in ("current", "inherent", "target") if gaps[stance]
    ]
    return f"{text} Not in the matrix: {', '.join(lacking)}." if lacking else text


def register_sentence(register: pd.DataFrame) -> str:
    """Say how the open threats are graded, how many opportunities there are, and how old all of them are."""
    risks = register.loc[register["open"]]
    if risks.empty:
        return f"No risk is open; {counted(len(register), noun='risk')} closed or occurred."
    threats = risks.loc[risks["kind"].ne("opportunity")]
    grades = threats["grade"].fillna("not graded").value_counts()
    order = [grade for grade in ("severe", "high", "medium", "low", "not graded") if grade in grades.index]
    words = f"{counted(len(threats), noun='open threat')}" + (": " if order else "")
    words += ", ".join(f"{grades[grade]} {grade}" for grade in order)
    chances, over = len(risks) - len(threats), len(register) - len(risks)
    words += f"; {counted(chances, noun='opportunity', plural='opportunities')}" if chances else ""
    ages = risks["age_days"].dropna()
    age = f" Half of them are older than {number(float(ages.median()))} days." if len(ages) > 1 else ""
    return f"{words}.{age}" + (f" {over} more in the register are closed or have occurred." if over else "")


def top_sentence(top: pd.DataFrame) -> str:
    """Say which risk leads each order, and which rank much higher in money than by score."""
    first = top.sort_values(["rank_by_score", "risk_id"], kind="stable").head(1)
    text = f"By score {_named(_titled(first))} leads"
    quantified = top.loc[top["rank_by_exposure"].notna()]
    if quantified.empty:
        return f"{text}; none is quantified in money."
    richest = quantified.sort_values(["rank_by_exposure", "risk_id"], kind="stable").head(1)
    if richest["risk_id"].iloc[0] == first["risk_id"].iloc[0]:
        text += ", and by exposure too"
    else:
        text += f", by exposure {_named(_titled(richest))}"
    hidden = quantified.loc[quantified["rank_gap"].gt(1)].sort_values("rank_gap", ascending=False, kind="stable")
    alone = int(top["rank_by_exposure"].isna().sum())
    text += f". Ranked much higher in money than by score: {_named(hidden['risk_id'])}" if len(hidden) else ""
    return text + (f". {counted(alone, noun='risk')} of these without money." if alone else ".")


def unquantified_sentence(unquantified: pd.DataFrame) -> str:
    """Say how many open risks no sum can hold, and how grave they are."""
    no_money, no_score = (int(unquantified[column].isna().sum()) for column in ("expected_money", "score"))
    worst = unquantified["score"].max()
    grave = f"; the highest score among them is {number(float(worst))}" if pd.notna(worst) else ""
    return f"{counted(no_money, noun='open risk')} without expected cost, {no_score} without score{grave}."


def timeline_sentence(timeline: pd.DataFrame) -> str:
    """Say what is past its date, what may strike soon, and what has no date."""
    bands = timeline["proximity_band"].value_counts()
    counts = {band: int(bands.get(band, 0)) for band in ("past", "imminent", "near", "far", "not stated")}
    first = timeline.iloc[0]
    imminent, near = (day(timeline[column].max()) for column in ("imminent_until_on", "near_until_on"))
    return (
        f"{counts['past']} past the date and still open, {counts['imminent']} may strike by {imminent}, "
        f"{counts['near']} more by {near}, {counts['far']} later, {counts['not stated']} without a date. "
        f"The earliest is {first['risk_id']} “{first['title']}” ({day(first['proximity_on'])})."
    )


def flags_sentence(flags: pd.DataFrame) -> str:
    """Say what is wrong most urgently, and name the risks with the most flags."""
    found = flags.loc[flags["risk_id"].notna()]
    if found.empty:
        return "No risk has a flag; what could not be checked is listed."
    counts = found.drop_duplicates("flag")
    words = [f"{flag}: {count}" for flag, count in zip(counts["flag"], counts["flagged"], strict=True)]
    most = found.groupby("risk_id")["flag"].nunique().sort_values(ascending=False, kind="stable")
    many = most.loc[most.eq(most.iloc[0])]
    named = f" Most flags ({most.iloc[0]}): {_named(many.index)}." if most.iloc[0] > 1 else ""
    return f"{_capital('; '.join(words))}.{named}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def patterns_sentence(patterns: pd.DataFrame) -> str:
    """Say how much of the register looks kept for show."""
    bulk = patterns.loc[patterns["pattern"].eq("reviewed in bulk")]
    still = patterns.loc[patterns["pattern"].eq("score never moved")]
    unforeseen = patterns.loc[patterns["pattern"].eq("issue that no risk foresaw") & patterns["subject_id"].notna()]
    words = []
    if len(bulk):
        first = bulk.iloc[0]
        same = f", {first['unchanged']} of them otherwise unchanged" if pd.notna(first["unchanged"]) else ""
        words.append(f"{first['risks']} risks carry the same day of review, {day(first['dated_on'])}{same}")
    if len(still):
        words.append(f"{counted(len(still), noun='score')} never moved")
    if len(unforeseen):
        words.append(f"{counted(len(unforeseen), noun='issue')} came without a risk before")
    return f"{_capital('; '.join(words))}." if words else "None was found; what could not be checked is listed."
