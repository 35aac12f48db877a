"""Sentences of computed health, written by rule: same figures, same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pmo_lib.theme import counted, day, month, quantity, share

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

COLOURS = ("red", "amber", "green")
NAMED = 3
FOUR = ("time", "cost", "scope", "benefits")


def ratings_sentence(ratings: pd.DataFrame) -> str:
    """Say by which rules ratings are computed, how many are red, and what is unknown; see ``Judgement.ratings``."""
    computed = ratings[ratings["kind"].eq("computed")]
    whole = computed[computed["dimension"].eq("overall")]
    standard, projects = str(ratings["against"].iloc[0]), counted(len(whole), noun="project")
    silent = _silent(computed)
    if whole["rating"].isna().all():
        return f"Of {projects} none can be rated against {standard}. {silent} What raters say stands alone."
    said = [f"Computed against {standard}, of {projects}: {_colours(whole['computed'])}."]
    said += [f"With overrides in force: {_colours(whole['rating'])}."] if whole["overridden"].any() else []
    first = whole.iloc[0]
    if first["rating"] in ("red", "amber") and first["value"] == first["value"]:
        figure = f"{first['measure']} {quantity(float(first['value']), unit=str(first['unit']))}"
        lately = first["raw"] != first["computed"] == first["rating"]
        told = f"held {first['rating']} from an earlier report, {figure} by this one" if lately else figure
        said.append(f"First stands {first['name']}: {told}.")
    held = int((whole["raw"].notna() & whole["raw"].ne(whole["computed"])).sum())
    doubt = whole[whole["assured"].eq(False) & whole["rating"].notna()]["name"]
    said += [f"{counted(held, noun='overall rating')} got better too recently to count."] if held else []
    said += [f"Not assured by their data: {_names(doubt)}."] if len(doubt) else []
    return " ".join([*said, silent]).strip()


def _colours(ratings: pd.Series) -> str:
    """Count ratings by colour, worst first, and those that cannot be computed."""
    counts = [f"{n} {colour}" for colour in COLOURS if (n := int(ratings.eq(colour).sum()))]
    unknown = int(ratings.isna().sum())
    return ", ".join([*counts, *([f"{unknown} not computable"] if unknown else [])])


def _silent(computed: pd.DataFrame) -> str:
    """Name the dimensions that cannot be computed for any project, each with its commonest reason."""
    told = []
    for dimension in dict.fromkeys(computed["dimension"]):
        own = computed[computed["dimension"].eq(dimension)]
        if dimension != "overall" and own["rating"].isna().all():
            reason = str(own["reason"].value_counts().index[0])
            told.append((str(dimension), reason))
    return f"Not computable: {'; '.join(f'{name} ({reason})' for name, reason in told)}." if told else ""


def outside_green_sentence(found: pd.DataFrame) -> str:
    """Name the projects that are green outside and red inside; see ``Judgement.outside_green``."""
    first = found.drop_duplicates("project_id")
    return f"Green outside, red inside: {counted(len(first), noun='project')} ({_names(first['name'])})."


def overrides_sentence(given: pd.DataFrame) -> str:
    """Say how many ratings were set aside, and how many of these count; see ``metrics.computed.overrides``."""
    valid = int(given["counts"].eq("counts").sum())
    why = given.loc[given["why_not"].ne(""), "why_not"].value_counts(sort=False).sort_index()
    rest = "; ".join(f"{count} {reason}" for reason, count in why.items())
    return f"{counted(len(given), noun='override')}, {valid} in force" + (f". Not in force: {rest}." if rest else ".")


def rerated_sentence(compared: pd.DataFrame) -> str:
    """Say which standard is in force, and how many ratings would differ by another; see ``computed.compare``."""
    others = compared[~compared["in_force"].astype(bool)]
    told = [
        f"{row['standard']}: {row['reason'] or counted(int(row['differ']), noun='rating') + ' would differ'}"
        for row in others.to_dict("records")
    ]
    agree = others["differ"].eq(0).all()
    rest = "No rating would differ by another" if agree else "; ".join(told).capitalize()
    return f"In force: {compared['standard'].iloc[0]}. {rest}."


def breaches(found: pd.DataFrame) -> str:
    """Say how many tolerances are breached, since when, and without a decision; see ``metrics.exceptions``."""
    projects = counted(found["project_id"].nunique(), noun="project")
    kinds = found["dimension"].value_counts(sort=False)
    told = ", ".join(f"{name} {kinds[name]}" for name in dict.fromkeys(found["dimension"].sort_values()))
    oldest = found.sort_values(["since_on", "name"], kind="stable").iloc[0]
    start = "or earlier" if oldest["from_the_start"] else "on"
    alone = found[found["ask"].isna() & found["actions_open"].eq(0)].drop_duplicates("project_id")
    said = [
        f"{counted(len(found), noun='tolerance')} breached in {projects} ({told}).",
        f"The oldest: {oldest['name']}, {oldest['dimension']}, from {month(str(oldest['first_period']))} {start}.",
    ]
    undecided = found[found["ask"].isna()]["project_id"].nunique()
    said += [f"{undecided} of {projects} without a decision asked for."] if undecided else []
    said += [f"Neither decision nor open action: {_names(alone['name'])}."] if len(alone) else []
    return " ".join(said)


def actions_sentence(found: pd.DataFrame) -> str:
    """Say how many actions are open and overdue, and what the figures say; see ``corrective_actions``."""
    alive = found[found["done_on"].isna()]
    late = int(alive["overdue_days"].gt(0).fillna(value=False).sum())
    return (
        f"{counted(len(alive), noun='action')} open, {late} overdue; {len(found) - len(alive)} done. "
        f"Since they were first reported the figure is {_verdicts(found['helped'])}."
    )


def steps_sentence(steps: pd.DataFrame) -> str:
    """Say how far decisions and actions came; see ``metrics.exceptions.loop``."""
    return " ".join(
        _loop_of(kind, rows=rows) for kind in dict.fromkeys(steps["kind"]) for rows in [steps[steps["kind"].eq(kind)]]
    )


def _loop_of(kind: str, *, rows: pd.DataFrame) -> str:
    taken = int(rows["step"].ne("asked").sum())
    done = rows[rows["step"].isin(["done", "helped"])]
    late = int(rows["late_days"].gt(0).fillna(value=False).sum())
    start = f"Of {counted(len(rows), noun=kind)} {taken} were taken" if kind == "decision" else (
        f"Of {counted(len(rows), noun=kind)}"
    )  # fmt: skip
    judged = f"; afterwards the figure was {_verdicts(done['helped'])}" if len(done) else ""
    return f"{start} {len(done)} done{judged}; {late} late.".replace("taken ", "taken and ")


def _verdicts(helped: pd.Series) -> str:
    counts = helped.value_counts()
    order = (("better", "better"), ("the same", "no different"), ("worse", "worse"))
    told = [f"{word} in {int(counts[name])}" for name, word in order if counts.get(name)]
    rest = int(counts.get("too early", 0)), int(counts.get("not known", 0))
    told += [f"too early to tell in {rest[0]}"] if rest[0] else []
    told += [f"not known in {rest[1]}"] if rest[1] else []
    return ", ".join(told) or "no verdict yet"


def gates_sentence(gates: pd.DataFrame) -> str:
    """Say which gates are overdue, what comes next, and what conditions are open; see ``metrics.gates.calendar``."""
    late, due, open_ = (gates[gates["state"].eq(state)] for state in ("overdue", "due", "conditions open"))
    said = [f"{counted(len(late), noun='gate')} overdue" + (f" ({_gates(late)})" if len(late) else "")]
    said.append(
        f"{len(due)} due soon"
        + (f", next {_gate(due.iloc[0])} on {day(due['planned_on'].iloc[0])}" if len(due) else "")
    )
    conditions = int(open_["conditions_open"].fillna(0).sum())
    oldest = int(open_["condition_days"].max()) if len(open_) else 0
    said.append(
        f"{counted(conditions, noun='condition')} open"
        + (f", the oldest for {counted(oldest, noun='day')}" if conditions else "")
    )
    return "; ".join(said) + "."


def ready_sentence(ready: pd.DataFrame) -> str:
    """Say what share of the required artefacts is approved, and who lacks most; see ``metrics.gates.readiness``."""
    required, approved = int(ready["required"].sum()), int(ready["approved"].sum())
    first = ready.iloc[0]
    text = f"{approved} of {counted(required, noun='required artefact')} approved ({share(approved / required)})"
    text += f", {int(ready['missing'].sum())} missing, {int(ready['overdue'].sum())} overdue for review"
    last = f" Least ready: {first['name']}, {first['approved']} of {first['required']}."
    return f"{text}.{last if first['approved'] < first['required'] else ''}"


def _gates(rows: pd.DataFrame) -> str:
    return _names([_gate(row) for row in rows.to_dict("records")])


def _gate(row: Any) -> str:
    return f"{row['name']}, {row['gate']}"


def _names(names: Iterable[Any]) -> str:
    """Join the first names, and say how many more there are."""
    told = [str(name) for name in names]
    more = len(told) - NAMED
    return "; ".join(told[:NAMED]) + (f"; and {more} more" if more > 0 else "")
