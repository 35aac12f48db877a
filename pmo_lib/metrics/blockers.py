"""What has already gone wrong: open issues, how high and how long they stand, and the promises between projects.

Issues are raised, escalated and closed with an owner and a date (PRINCE2 2017, *Change*: issue register; ISO
21502:2020, 7.9). A blocker is an open issue from the severity on that the organisation states. A promise between two
projects holds only if both have agreed to the same item on the same day: what each side returned is laid side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics.dependencies import BOTH, DEPENDENCY_COLUMNS, dependencies

if TYPE_CHECKING:
    from pmo_lib.parameters.models import RiskRules

ISSUE_COLUMNS = [
    "issue_id", "title", "project_id", "class", "severity", "blocker", "escalation_level", "owner", "raised_on",
    "age_days", "due_on", "overdue_days", "risk_id", "risk_title", "actions_open", "rule", "source_ref",
]  # fmt: skip
LEVEL_COLUMNS = [
    "escalation_level", "issues_open", "blockers", "overdue", "without_action", "median_age_days", "oldest_days",
    "oldest", "resolved", "median_days_to_resolve", "worst", "resolved_reason", "open_reason",
]  # fmt: skip
AT_RISK_COLUMNS = [*DEPENDENCY_COLUMNS, "sides", "trouble"]
NOT_STATED = "not stated"
ONE_RETURN, AGREED = "one return for both", "same item and days"


def open_issues(issues: pd.DataFrame, *, actions: pd.DataFrame, risks: pd.DataFrame, rules: RiskRules) -> pd.DataFrame:
    """Return the open issues, blockers first, the oldest first.

    Parameters
    ----------
    issues, actions, risks
        Contract tables of one portfolio in one period.
    rules
        ``blocker_severity``.

    Returns
    -------
    DataFrame
        :data:`ISSUE_COLUMNS`: ``age_days`` since raised and ``overdue_days`` since due (negative until then), to the
        row's status date; ``actions_open`` null where no actions were returned.
    """
    log = _latest(issues)
    rows = log[~_over(log)].copy()
    served = actions[actions["parent_kind"].eq("issue") & actions["done_on"].isna()]
    counts = rows["issue_id"].map(served["parent_id"].value_counts()).fillna(0)
    titles = risks.drop_duplicates("risk_id", keep="last").set_index("risk_id")["title"]
    rows = rows.assign(
        blocker=rows["severity"].ge(rules.blocker_severity).fillna(value=False).astype(bool),
        escalation_level=rows["escalation_level"].fillna(NOT_STATED),
        age_days=(rows["status_date"] - rows["raised_on"]).dt.days.astype("Int64"),
        overdue_days=(rows["status_date"] - rows["due_on"]).dt.days.astype("Int64"),
        risk_title=rows["risk_id"].map(titles).astype("str"),
        actions_open=counts.astype("Int64").mask(pd.Series(actions.empty, index=rows.index)),
        rule=f"a blocker has severity {rules.blocker_severity} or more",
    )
    order = rows.sort_values(
        ["blocker", "age_days", "issue_id"], ascending=[False, False, True], kind="stable", na_position="last"
    )
    return order[ISSUE_COLUMNS].reset_index(drop=True)


def _latest(issues: pd.DataFrame) -> pd.DataFrame:
    """Return each issue once, as it stood last."""
    rows = issues.sort_values(["issue_id", "status_date"], kind="stable")
    return rows.drop_duplicates("issue_id", keep="last")


def _over(issues: pd.DataFrame) -> pd.Series[bool]:
    return issues["resolved_on"].notna() & issues["resolved_on"].le(issues["status_date"])


def escalations(issues: pd.DataFrame, *, found: pd.DataFrame) -> pd.DataFrame:
    """Return the open issues by the level that they have reached, the gravest level first.

    Parameters
    ----------
    issues
        Contract table of one portfolio in one period.
    found
        As :func:`open_issues` returns it.

    Returns
    -------
    DataFrame
        :data:`LEVEL_COLUMNS`: levels by the mean severity of all their issues, falling; ``oldest`` is the id of the
        oldest open issue, ``worst`` the highest severity that is open; ``resolved`` and ``median_days_to_resolve`` are
        of the issues that are over.
    """
    log = _latest(issues)
    log = log.assign(
        escalation_level=log["escalation_level"].fillna(NOT_STATED), over=_over(log),
        took_days=(log["resolved_on"] - log["raised_on"]).dt.days,
    )  # fmt: skip
    if log.empty:
        return pd.DataFrame(columns=LEVEL_COLUMNS)
    gravity = log.groupby("escalation_level")["severity"].mean().astype("float64").fillna(0.0)
    names = sorted(gravity.index, key=lambda name: (-gravity[name], name))
    rows = [_level(name, log=log[log["escalation_level"].eq(name)], found=found) for name in names]
    whole = ["median_age_days", "oldest_days", "median_days_to_resolve", "worst", "without_action"]
    return pd.DataFrame(rows, columns=LEVEL_COLUMNS).astype(dict.fromkeys(whole, "Float64"))


def _level(name: str, *, log: pd.DataFrame, found: pd.DataFrame) -> dict[str, Any]:
    here = found[found["escalation_level"].eq(name)]
    done = log[log["over"]]
    aged = here.dropna(subset=["age_days"])
    return {
        "escalation_level": name,
        "issues_open": len(here),
        "blockers": int(here["blocker"].sum()),
        "overdue": int(here["overdue_days"].gt(0).sum()),
        "without_action": here["actions_open"].eq(0).sum() if here["actions_open"].notna().all() else pd.NA,
        "median_age_days": aged["age_days"].median() if len(aged) else pd.NA,
        "oldest_days": aged["age_days"].max() if len(aged) else pd.NA,
        "oldest": aged.sort_values("age_days", kind="stable")["issue_id"].iloc[-1] if len(aged) else None,
        "resolved": len(done),
        "median_days_to_resolve": done["took_days"].median() if done["took_days"].notna().any() else pd.NA,
        "worst": here["severity"].max() if len(here) else pd.NA,
        "resolved_reason": "none is over" if done.empty else "days not stated",
        "open_reason": "none is open" if here.empty else NOT_STATED,
    }


def dependencies_at_risk(rows: pd.DataFrame, *, projects: pd.DataFrame, portfolio: str) -> pd.DataFrame:
    """Return the open dependencies of our projects that are late, not agreed by both, or told differently by the two.

    Parameters
    ----------
    rows
        Contract table ``dependencies`` of the whole organisation in one period: what the other side returned is
        compared with what we did.
    projects
        History of projects, for names and to tell what is ours.
    portfolio
        Id of ours.

    Returns
    -------
    DataFrame
        :data:`AT_RISK_COLUMNS`, least float first: the columns of
        :func:`pmo_lib.metrics.dependencies.dependencies`; ``sides`` says how the two returns agree on item and days;
        ``trouble`` what is wrong, in words joined by ``; ``. What others ask of us and we do not return is here too.
    """
    own, told = rows[rows["portfolio_id"].eq(portfolio)], rows[rows["portfolio_id"].ne(portfolio)]
    ours = set(projects.loc[projects["portfolio_id"].eq(portfolio), "project_id"])
    told = told[told[["provider_project_id", "recipient_project_id"]].isin(ours).any(axis="columns")]
    theirs = {_ends(row): row for row in told.to_dict("records")}
    known = {_ends(row) for row in own.to_dict("records")}
    unheard = told[[_ends(row) not in known for row in told.to_dict("records")]]
    parts = [part for part in (own, unheard) if len(part)] or [own]
    table = dependencies(pd.concat(parts, ignore_index=True), projects=projects)
    sides = {
        row["source_ref"]: ONE_RETURN if set(_ends(row)[1:]) <= ours else _sides(row, other=theirs.get(_ends(row)))
        for row in own.to_dict("records")
    }
    table["sides"] = [sides.get(ref, "they return it, we do not") for ref in table["source_ref"]]
    table["trouble"] = [_trouble(row) for row in table.to_dict("records")]
    return table.loc[table["trouble"].ne(""), AT_RISK_COLUMNS].reset_index(drop=True)


def _ends(row: dict[Any, Any]) -> tuple[str, str, str]:
    """Return what makes two rows the same dependency: its id is unique in one return only."""
    return str(row["dependency_id"]), str(row["provider_project_id"]), str(row["recipient_project_id"])


def _sides(row: dict[Any, Any], *, other: dict[Any, Any] | None) -> str:
    """Say how the other side's return agrees with ours."""
    if other is None:
        return "we return it, they do not"
    found = []
    if _plain(other["item"]) != _plain(row["item"]):
        found.append(f"they say “{other['item']}”")
    for name, words in (("needed_on", "needed"), ("promised_on", "promised")):
        if pd.isna(other[name]) != pd.isna(row[name]):
            found.append(f"only one side states the day {words}")
        elif pd.notna(row[name]) and (days := (other[name] - row[name]).days):
            found.append(f"they have it {words} {abs(days)} days {'later' if days > 0 else 'earlier'}")
    return "; ".join(found) or AGREED


def _plain(text: object) -> str:
    return " ".join(str(text).split()).casefold()


def _trouble(row: dict[Any, Any]) -> str:
    """Say what is wrong with an open dependency, '' for nothing."""
    found = ["promised after it is needed"] if pd.notna(row["float_days"]) and row["float_days"] < 0 else []
    found += [str(row["float_reason"])] if row["float_reason"] else []
    found += ["late"] if row["status"] == "late" and not found else []
    found += [f"agreed by {row['agreement']}"] if row["agreement"] != BOTH else []
    found += [f"the two returns differ: {row['sides']}"] if row["sides"] not in (ONE_RETURN, AGREED) else []
    return "; ".join(found)
