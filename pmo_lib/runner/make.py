"""One report in its own process: execute, render, refuse what must not be published, stage what may."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import nbformat
import numpy as np

from pmo_lib.archive.runs import FINDINGS
from pmo_lib.batch.staging import FACTS, LAST, PART, SLASH, stage
from pmo_lib.engine import execute
from pmo_lib.errors import PmoError, ReportError
from pmo_lib.extracts import extract
from pmo_lib.parameters.load import find_root, load_reports, load_sections
from pmo_lib.parameters.traced import picked
from pmo_lib.render.gate import gate
from pmo_lib.render.page import render
from pmo_lib.report import PUBLISHED
from pmo_lib.results import from_notebook, looked_at
from pmo_lib.sections import composed
from pmo_lib.snapshots import Archive, Snapshot, open_snapshot
from pmo_lib.store import canonical_json, digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from pmo_lib.runner.job import Job


def make(job: Job) -> str:
    """Make one report in its own process and stage it; return the period that it speaks of.

    Raises
    ------
    PmoError
        With ``data["stage"]``: notebook, gate or publish.
    """
    started = datetime.now(UTC)
    os.environ |= {"PMO_ROOT": str(job.root), "PMO_OUTPUTS": str(job.outputs), "PMO_SHARED": str(job.shared)}
    job.staged.parent.mkdir(parents=True, exist_ok=True)
    source, sections = _source(job)
    notebook = execute(source, parameters=job.parameters, failed_path=job.failed, engine=job.engine)
    try:
        page, document = _finished(notebook, job=job, sections=sections)
    except ReportError:
        job.failed.write_text(str(nbformat.writes(notebook)) + "\n", encoding="utf-8")  # type: ignore[no-untyped-call]
        raise
    results = canonical_json({**document, "page_sha256": digest_of(page)})
    whole = not job.portfolio and load_reports(job.root).named(job.report).scope == "organisation"
    extracts = extract(document) if whole else {}
    record = {"page_sha256": digest_of(page), "results_sha256": digest_of(results), "as_of": document["as_of"]}
    of = record | _made_of(job, read=_note(notebook).get("read", {}))
    snapshot = _snapshot(job)
    facts = {"process": os.getpid(), "sections": sections, **_facts(job, of=of), "went": _went(snapshot, job=job)}
    facts["went"] |= {"started": _written(started), "finished": _written(datetime.now(UTC))}
    files = {f"{job.place}.html": page, f"{job.place}.json": results, FACTS: canonical_json(facts)}
    files |= {f"{job.parameters['period']}/extract/{name}": content for name, content in extracts.items()}
    kept = {f"{job.report}.html": page, f"{job.report}.json": results, f"{job.report}.ipynb": canonical_json(notebook)}
    kept |= {f"extract{SLASH}{name}": content for name, content in extracts.items()}
    kept[FINDINGS] = canonical_json(_findings(snapshot, job=job))
    stage(files | {f"{LAST}/{job.place}.json": canonical_json(of)}, folder=job.staged, run=kept)
    return str(document["as_of"])


def warm() -> None:
    """Parse the list of reports in the fork server, so that no child does; what is wrong with it is told later."""
    with contextlib.suppress(PmoError):
        load_reports(find_root())


def _source(job: Job) -> tuple[Path, list[str]]:
    """Return the notebook to execute, a staged copy where the portfolio has sections of its own, and their names."""
    source = job.root / "notebooks" / f"{job.report}.ipynb"
    organisation = str(job.parameters["organisation"])
    sections = load_sections(job.root, org=organisation, portfolio=job.portfolio, report=job.report)
    if not sections:
        return source, []
    copy = job.staged.parent / f"composed{PART}" / source.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(composed(source, sections=sections))
    return copy, [section.name for section in sections]


def _finished(notebook: Any, *, job: Job, sections: list[str]) -> tuple[bytes, dict[str, Any]]:
    """Return the page and the results of an executed notebook, if they may be published."""
    page = render(notebook, assets="../assets" if job.portfolio else "assets")
    document = from_notebook(notebook)
    asked = {key: value for key, value in job.parameters.items() if key != "overrides"} | {"report": job.report}
    note = _note(notebook)
    gate(notebook, page=page, parameters=asked, figures_made=note.get("figures_made", 0))
    if lost := [name for name in sections if name not in note.get("sections", ())]:
        raise ReportError(f"the page lacks the section {', '.join(lost)}", fix="run it by hand", stage="gate")
    return page.encode(), document


def _note(notebook: Any) -> dict[str, Any]:
    """Return what the report said when it published; empty if it did not."""
    notes = [output["data"][PUBLISHED] for cell in notebook.cells for output in cell.get("outputs", ())
             if PUBLISHED in output.get("data", {})]  # fmt: skip
    return dict(notes[-1]) if notes else {}


def _made_of(job: Job, *, read: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report was made of: what it is later held against, see :mod:`pmo_lib.runner.unchanged`.

    A notebook that does not say what it read may have read all settings and everything in the snapshot.
    """
    everything = [["manifest", job.parameters["period"]]]
    return {
        "basis": job.basis,
        "snapshot": job.parameters["snapshot"],
        "settings": picked(job.settings, names=read.get("settings", ["*"])),
        "read": read.get("snapshots", everything),
        "published": read.get("published", {}),
    }


def _snapshot(job: Job) -> Snapshot:
    asked = job.parameters
    archive = Archive(job.outputs / str(asked["organisation"]) / "archive")
    return open_snapshot(archive, period=str(asked["period"]), snapshot=str(asked["snapshot"]))


def _findings(snapshot: Snapshot, *, job: Job) -> dict[str, Any]:
    """Return what intake found in the returns, and the rows that could not be used."""
    names = ("findings", "quarantined")
    return {name: _packed(snapshot.intake_table(name, portfolio=job.portfolio or None)) for name in names}


def _packed(rows: pd.DataFrame) -> dict[str, Any]:
    records = rows.astype(object).where(rows.notna(), None).to_numpy().tolist()
    return {"columns": list(rows.columns), "rows": records}


def _facts(job: Job, *, of: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run record says of what a report was made with, and what it read of others."""
    folder = job.outputs / str(job.parameters["organisation"])
    made_with = {"settings": of["settings"], "snapshots_read": of["read"], "numeric": numeric_profile()}
    return {"made_with": made_with, "published": looked_at(folder, periods=of["published"])}


def _went(snapshot: Snapshot, *, job: Job) -> dict[str, Any]:
    rows = _packed(snapshot.intake_table("accounting", portfolio=job.portfolio or None))
    return {"python": sys.version, "platform": platform.platform(), "rows": rows}


def numeric_profile() -> dict[str, Any]:
    """Return what may decide the last bits of a figure: numpy, its BLAS, and the instructions that it found."""
    told: dict[str, Any] = np.show_config(mode="dicts")  # type: ignore[assignment]
    blas = told.get("Build Dependencies", {}).get("blas", {})
    return {
        "numpy": np.__version__,
        "blas": {name: blas.get(name) for name in ("name", "version")},
        "simd": told.get("SIMD Extensions", {}),
        "machine": platform.machine(),
    }


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
