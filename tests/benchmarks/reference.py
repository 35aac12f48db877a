"""The reference report that ways of making a batch are measured with: a notebook that stays as it is, and its data.

``reference.ipynb`` has 14 code cells, draws 8 figures and needs nothing of this project but the names of the messages
that let a page pass the gate. It reads the rows of one portfolio from a Parquet file with a row group for each, which
is made here from a seed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from returns import small_return

from pmo_lib.snapshots import Archive, take

NOTEBOOK = Path(__file__).with_name("reference.ipynb")
PROJECTS, YEARS = 40, range(2021, 2026)
CATEGORIES = ("design", "land", "works", "oversight")
RATINGS = np.array(["green", "amber", "red"])
REPORTS = "reports:\n  - {name: reference, title: Reference, question: What was spent?, exhibits: []}\n"
MONTHS = [f"{year}-{month:02}" for year in YEARS for month in range(1, 13)]


@dataclass(frozen=True)
class Task:
    """One report to make: the name of its notebook and the parameters."""

    report: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """Reports to make: ``root`` has the notebooks, ``outputs`` the snapshots, ``staging`` takes what is made."""

    root: Path
    outputs: Path
    staging: Path
    tasks: tuple[Task, ...]


def prepare(folder: Path, *, portfolios: int) -> None:
    """Make a project's root with the reference notebook and a snapshot of so many portfolios."""
    (folder / "notebooks").mkdir()
    (folder / "parameters" / "bench").mkdir(parents=True)
    (folder / "parameters" / "bench" / "organisation.yml").write_text("id: bench\nname: Benchmark\n", encoding="utf-8")
    shutil.copy(NOTEBOOK, folder / "notebooks")
    parts = map(_rows, range(portfolios))
    first = next(parts)
    with pq.ParquetWriter(folder / "reference.parquet", first.schema) as writer:
        for part in (first, *parts):
            writer.write_table(part)


def batch(folder: Path, *, count: int, staging: Path) -> Batch:
    """Return the reference report of the first so many portfolios of a house."""
    outputs = folder / "outputs"
    told = {"organisation": "bench", "period": MONTHS[-1], "snapshot": next(outputs.glob("*.parquet")).stem}
    tasks = tuple(Task("reference", {**told, "portfolio": f"P{number:04}"}) for number in range(count))
    return Batch(folder, outputs, staging, tasks)


def house(folder: Path, *, portfolios: int) -> Path:
    """Make a project's root in which ``pmo run`` makes the reference report for so many portfolios; return it."""
    prepare(folder, portfolios=portfolios)
    (folder / "parameters" / "reports.yml").write_text(REPORTS, encoding="utf-8")
    held = {f"P{number:04}": [f"P{number:04}-00"] for number in range(portfolios)}
    made = small_return(MONTHS[-1], date(2025, 12, 31), portfolios=held)
    snapshot = take(made, archive=Archive(folder / "outputs" / "bench" / "archive"), organisation="bench")
    (folder / "reference.parquet").rename(folder / "outputs" / f"{snapshot.id}.parquet")
    return folder


def _rows(number: int) -> pa.Table:
    """Return the rows of one portfolio: a row for each project, month and category."""
    draws = np.random.default_rng(number)
    shape = (PROJECTS, len(MONTHS), len(CATEGORIES))
    project, month, category = np.indices(shape).reshape(3, -1)
    plan = draws.integers(20_000, 900_000, shape[0])[project] * draws.uniform(0.6, 1.4, project.size)
    drift = draws.normal(0.04, 0.1, shape[0])[project] + draws.normal(0, 0.1, project.size)
    worse = np.cumsum(draws.choice([0, 0, 0, 0, 14, 30], (shape[0], shape[1])), axis=1)
    return pa.table(
        {
            "portfolio_id": np.full(project.size, f"P{number:04}"),
            "project_id": np.array([f"P{number:04}-{n:02}" for n in range(PROJECTS)])[project],
            "month": np.array(MONTHS)[month],
            "category": np.array(CATEGORIES)[category],
            "plan": plan.round(2),
            "actual": (plan * (1 + drift)).round(2),
            "forecast": (plan * (1 + drift / 2)).round(2),
            "rating": RATINGS[draws.choice(3, (shape[0], shape[1]), p=[0.5, 0.35, 0.15])[project, month]],
            "delay_days": worse[project, month],
        }
    )
