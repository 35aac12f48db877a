"""Two runs against each other: figures, published tables, the rows behind them, rules, code and data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from pmo_lib.audit.origins import changes, code_changed, rules_changed
from pmo_lib.errors import ParameterError
from pmo_lib.metrics.explained import places, references
from pmo_lib.snapshots import difference
from pmo_lib.store import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pmo_lib.audit.named import Kept
    from pmo_lib.snapshots import Difference

SCHEMA = "pmo-compare/1"
TOLD = ("pmo_operator", "pmo_host", "finishedOn", "pmo_reason", "pmo_draft", "pmo_signed_by", "pmo_supersedes")
NOTHING: dict[str, Any] = {"value": None, "unit": None, "reason": None}
RowPlace = tuple[str, str, str]  # contract table, month of the return, source_ref
Cells = dict[RowPlace, dict[int, dict[str, Any]]]  # what differs at a place, by its number among all that differs


class Pair(NamedTuple):
    """The two runs that are compared."""

    old: Kept
    new: Kept


@dataclass(frozen=True)
class Comparison:
    """What differs between two runs.

    ``document`` holds only JSON values::

        {"schema", "old", "new": {run, sums, organisation, period, portfolio, report, snapshot, operator, …},
         "figures": [{name, label, unit, change, old, new, difference, old_reason, new_reason, old_worked, new_worked,
                      came, went: [{table, period, place, rows, count}], cells: [a row of the snapshots' difference]}],
         "figures_same": n, "other_rows": [names of figures with the same value, made from other rows or cells],
         "tables": [{name, old, new, added, removed, changed}],
         "rules": {asked, settings, notebook, sections, inputs, definitions}: [{name, old, new}],
         "code": {tree, source, lock, assets, packages, machine}: [{name, old, new}],
         "data": {"snapshots": [{period, old, new, reason, counts}], "rows": [rows of the snapshots' difference],
                  "returns", "accounting", "published": [{name, old, new}],
                  "findings", "quarantined": {old, new}: how many}}
    """

    document: dict[str, Any]

    @cached_property
    def content(self) -> bytes:
        """The document as canonical JSON: the same two runs, the same bytes."""
        return canonical_json(self.document) + b"\n"


def compare(old: Kept, *, new: Kept) -> Comparison:
    """Compare two runs.

    Raises
    ------
    ParameterError
        If they are the same run.
    StoreError
        If something that is needed of what they were made of is missing or altered.
    """
    if old.place == new.place:
        raise ParameterError(f"{old.place}: a run does not differ from itself", fix="name another run", problems=[])
    pair = Pair(old, new)
    differences = _differences(pair)
    figures, same, other_rows = _figures(pair, cells=_by_place(differences))
    return Comparison(
        {
            "schema": SCHEMA,
            "old": _about(old),
            "new": _about(new),
            "figures": figures,
            "figures_same": same,
            "other_rows": other_rows,
            "tables": _tables(pair),
            "rules": rules_changed(old, new=new),
            "code": code_changed(old, new=new),
            "data": _data(pair, differences=differences),
        }
    )


def _about(run: Kept) -> dict[str, Any]:
    """Return what a run is of, and who made it when."""
    told = {name.removeprefix("pmo_"): run.told.get(name) for name in TOLD}
    asked = {name: run.asked[name] for name in ("organisation", "period", "portfolio", "report")}
    return {"run": run.place, "sums": run.run.digest, "snapshot": run.run.about["snapshot"], **asked, **told}


# --- data -----------------------------------------------------------------------------------------------------


def _differences(pair: Pair) -> dict[str, Difference]:
    """Return, for each period that both runs could see in different snapshots, what differs between these."""
    chains = [{one.period: one for one in run.snapshot.chain()} for run in pair]
    both = [period for period in chains[0] if period in chains[1] and chains[0][period].id != chains[1][period].id]
    return {period: difference(chains[0][period], new=chains[1][period]) for period in both}


def _data(pair: Pair, *, differences: Mapping[str, Difference]) -> dict[str, Any]:
    snapshots = [
        {"period": period, "old": each.old[1], "new": each.new[1], "counts": each.counts,
         "reason": str(pair.new.archive.manifests(period)[each.new[1]]["reason"])}
        for period, each in differences.items()
    ]  # fmt: skip
    counted = {
        name: {side: len(run.findings[name]["rows"]) for side, run in zip(("old", "new"), pair, strict=True)}
        for name in ("findings", "quarantined")
    }
    rows = [row for each in differences.values() for row in _records(_own(each.rows, pair=pair), period=each.new[0])]
    return {
        "snapshots": snapshots,
        "rows": rows,
        "returns": changes(map(_returns, pair)),
        "accounting": changes(map(_accounting, pair)),
        "published": changes(run.listed("published") for run in pair),
        **counted,
    }


def _returns(run: Kept) -> dict[str, str]:
    """Return how the returns came in that a run is of, by portfolio: state, reason, file and its sha256."""
    digests = {str(one["name"]): str(one["sha256"]) for one in run.snapshot.kept["sources"]}
    told = {}
    for row in run.snapshot.intake_table("returns", portfolio=run.asked["portfolio"] or None).to_dict("records"):
        files = [f"{name} (sha256 {digests.get(name, 'not known')})" for name in str(row["file"]).split("; ") if name]
        told[str(row["portfolio_id"])] = "; ".join(filter(None, [row["state"], row["reason"], *files]))
    return told


def _accounting(run: Kept) -> dict[str, str]:
    """Return rows in, used, set aside and ignored of each table that a run is of."""
    packed = run.told["pmo_rows"] or {"columns": [], "rows": []}
    rows = [dict(zip(packed["columns"], row, strict=True)) for row in packed["rows"]]
    told = "{rows_in} in = {used} used + {quarantined} set aside + {ignored} ignored"
    return {f"{row['table']}, {row['portfolio_id']}": told.format_map(row) for row in rows}


def _own(rows: pd.DataFrame, *, pair: Pair) -> pd.DataFrame:
    """Return the rows of the portfolios that the runs are of, and those of none; all for the organisation's."""
    portfolios = {str(run.asked["portfolio"]) for run in pair}
    return rows if "" in portfolios else rows[rows["portfolio_id"].isna() | rows["portfolio_id"].isin(portfolios)]


def _records(rows: pd.DataFrame, *, period: str) -> list[dict[str, Any]]:
    plain = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return [{"period": period, **{str(name): value for name, value in row.items()}} for row in plain]


# --- figures --------------------------------------------------------------------------------------------------


def _figures(pair: Pair, *, cells: Cells) -> tuple[list[dict[str, Any]], int, list[str]]:
    """Return the figures that changed, how many did not, and which of these are made from other rows or cells."""
    published = [{str(row["name"]): row for row in run.results["figures"]} for run in pair]
    names = list(dict.fromkeys([*published[0], *published[1]]))
    changed, other_rows = [], []
    for name in names:
        figure = _figure(name, pair=pair, published=published)
        behind = _behind(name, pair=pair, cells=cells)
        if figure is not None:
            changed.append({**figure, **behind})
        elif any(behind.values()):
            other_rows.append(name)
    return changed, len(names) - len(changed), other_rows


def _figure(name: str, *, pair: Pair, published: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return a figure with both values; None where value, unit and reason are the same."""
    old, new = (each.get(name) for each in published)
    if old == new:
        return None
    explained = [run.results.get("explained", {}).get(name, {}) for run in pair]
    was, now = old or NOTHING, new or NOTHING
    return {
        "name": name,
        "label": str(explained[1].get("label") or explained[0].get("label") or name.replace("_", " ")),
        "change": "added" if old is None else "removed" if new is None else "changed",
        "unit": now["unit"] or was["unit"] or "",
        "old_unit": was["unit"] or now["unit"] or "",
        "old": was["value"],
        "new": now["value"],
        "difference": subtracted(now["value"], less=was["value"]) if was["unit"] == now["unit"] else None,
        "old_reason": was["reason"],
        "new_reason": now["reason"],
        "old_worked": explained[0].get("worked") or "",
        "new_worked": explained[1].get("worked") or "",
    }


def subtracted(value: float | None, *, less: float | None) -> float | None:
    """Return the difference of two published values without what binary fractions would add; None without one of them.

    >>> subtracted(0.3, less=0.1), 0.3 - 0.1
    (0.2, 0.19999999999999998)
    """
    return None if value is None or less is None else float(Decimal(repr(value)) - Decimal(repr(less)))


def _by_place(differences: Mapping[str, Difference]) -> Cells:
    """Return what differs of contract rows by the places at which they stood or stand."""
    found: Cells = {}
    rows = [row for period, each in differences.items() for row in _records(each.rows, period=period)]
    for number, row in enumerate(rows):
        for reference in {row["old_ref"], row["new_ref"]} if row["what"] == "row" else ():
            found.setdefault((row["table"], row["period"], reference), {})[number] = row
    return found


def _behind(name: str, *, pair: Pair, cells: Cells) -> dict[str, list[dict[str, Any]]]:
    """Return the rows behind a figure that came and went, and the cells of all its rows that changed."""
    old, new = (_rows_of(run.results.get("explained", {}).get(name)) for run in pair)
    found: dict[int, dict[str, Any]] = {}
    for place in (old | new) & cells.keys():
        found |= cells[place]
    return {"came": _grouped(new - old), "went": _grouped(old - new), "cells": [found[n] for n in sorted(found)]}


def _rows_of(told: Mapping[str, Any] | None) -> set[RowPlace]:
    return set() if told is None else set(references(told["rows"]))


def _grouped(rows: Iterable[RowPlace]) -> list[dict[str, Any]]:
    """Return rows as an explanation writes them: by table, month and sheet, with ranges of numbers."""
    by_table: dict[str, list[tuple[str, str]]] = {}
    for table, month, reference in sorted(rows):
        by_table.setdefault(table, []).append((month, reference))
    return [
        place
        for table, found in by_table.items()
        for place in places(pd.DataFrame(found, columns=["period", "source_ref"]), table=table)
    ]


# --- published tables -----------------------------------------------------------------------------------------


def _tables(pair: Pair) -> list[dict[str, Any]]:
    """Return the published tables that differ, with how many rows were added, removed and changed."""
    old, new = (run.results["tables"] for run in pair)
    names = list(dict.fromkeys([*old, *new]))
    return [_table(name, old=old.get(name), new=new.get(name)) for name in names if old.get(name) != new.get(name)]


def _table(name: str, *, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any]:
    sides = [each or {"columns": [], "rows": []} for each in (old, new)]
    width = key_width(*(side["rows"] for side in sides)) if sides[0]["columns"] == sides[1]["columns"] else 0
    whole = [Counter(map(canonical_json, side["rows"])) for side in sides]
    gone, came = whole[0] - whole[1], whole[1] - whole[0]
    keys = [Counter(canonical_json(row[:width]) for row in side["rows"]) if width else Counter() for side in sides]
    stay = keys[0].keys() & keys[1].keys()
    rows = [{canonical_json(row[:width]): canonical_json(row) for row in side["rows"]} for side in sides]
    changed = sum(rows[0][key] != rows[1][key] for key in stay)
    return {
        "name": name,
        "old": None if old is None else len(old["rows"]),
        "new": None if new is None else len(new["rows"]),
        "added": came.total() - changed,
        "removed": gone.total() - changed,
        "changed": changed,
    }


def key_width(*tables: Sequence[Sequence[Any]]) -> int:
    """Return how many leading columns tell the rows of each table apart; 0 where none do, or all would be needed.

    A published table has what its rows are of in front.
    """
    columns = min((len(row) for rows in tables for row in rows), default=0)
    for width in range(1, columns):
        if all(len({canonical_json(row[:width]) for row in rows}) == len(rows) for rows in tables):
            return width
    return 0
