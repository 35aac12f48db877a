"""Small hand-made schedule networks for tests: tasks by name with duration and predecessors."""

from __future__ import annotations

from typing import Any

import pandas as pd
from histories import current

from pmo_lib.metrics.network import Network, network

# Render, Stair and Hanna, Quantitative Analysis for Management, General Foundry: figures 13.3 to 13.5, as transcribed
# in github.com/arikanatakan/pmcontrols @6ae775d6, tests/validation_cases.json.
GENERAL_FOUNDRY = {
    "A": (2, ""), "B": (3, ""), "C": (2, "A"), "D": (4, "B"), "E": (4, "C"), "F": (3, "C"), "G": (5, "DE"),
    "H": (2, "FG"),
}  # fmt: skip
# Hillier and Lieberman, Introduction to Operations Research, Reliable Construction Co., from the same file.
RELIABLE_CONSTRUCTION = {
    "A": (2, ""), "B": (4, "A"), "C": (10, "B"), "D": (6, "C"), "E": (4, "C"), "F": (5, "E"), "G": (7, "D"),
    "H": (9, "EG"), "I": (7, "C"), "J": (8, "FI"), "K": (4, "J"), "L": (5, "J"), "M": (2, "H"), "N": (6, "KL"),
}  # fmt: skip


def tables(tasks: dict[str, tuple[float, str]], **columns: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ``tasks`` and ``links`` (all finish to start): one letter is one predecessor; ``columns`` by task."""
    rows = [
        {"project_id": "P", "task_id": name, "name": name, "duration_days": float(days)}
        | {column: values[name] for column, values in columns.items() if name in values}
        for name, (days, _) in tasks.items()
    ]
    joined = [link(before, after) for after, (_, names) in tasks.items() for before in names]
    return current("tasks", rows), current("links", joined)


def link(before: str, after: str, kind: str = "fs", lag: float = 0.0) -> dict[str, Any]:
    """Return one link as a row."""
    return {"project_id": "P", "predecessor_id": before, "successor_id": after, "type": kind, "lag_days": lag}


def built(tasks: dict[str, tuple[float, str]], **columns: dict[str, Any]) -> Network:
    """Return the network of :func:`tables`."""
    rows, links = tables(tasks, **columns)
    return network(rows, links=links)
