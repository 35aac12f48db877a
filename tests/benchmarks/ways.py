"""Ways of making a batch of reports, each run by a process of its own: ``batch_speed`` measures the process whole.

a. papermill and nbconvert by command, on all cores;
b. both as a library, one report after another in one process;
c. ploomber-engine and nbconvert as a library, where ploomber-engine is installed;
d. ours: a process for each report, forked from the warm server: execute, render, gate, write, rename;
e. the floor: the cells as a plain script and the same rendering, in a process forked from the same server;
s. the start of that server and nothing else.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
from benchmarks.reference import Batch, Task

from pmo_lib.batch.staging import publish
from pmo_lib.runner import Job, made, warm_modules
from pmo_lib.workers import Workers

Bundle = dict[str, Any]


def by_command(batch: Batch) -> None:
    """Make reports with the commands of papermill and nbconvert, as many at a time as there are cores."""
    environment = {**os.environ, "PMO_ROOT": str(batch.root), "PMO_OUTPUTS": str(batch.outputs)}

    def one(numbered: tuple[int, Task]) -> None:
        source, target, task = _places(batch, numbered=numbered)
        given = target.with_suffix(".yml")
        given.write_text(json.dumps(task.parameters), encoding="utf-8")
        for command in (
            ["papermill", "--no-progress-bar", "-f", str(given), str(source), str(target)],
            ["nbconvert", "--to", "html", str(target)],
        ):
            subprocess.run([sys.executable, "-m", *command], env=environment, check=True, capture_output=True)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        list(threads.map(one, enumerate(batch.tasks)))


def as_library(batch: Batch) -> None:
    """Make reports with papermill and nbconvert in this process."""
    from papermill import execute_notebook

    _in_one_process(batch, execute=lambda *paths, parameters: execute_notebook(*paths, parameters, progress_bar=False))


def with_ploomber(batch: Batch) -> None:
    """Make reports with the engine that ploomber-engine gives papermill, and nbconvert, in this process.

    It is no part of the project's environment: it is measured where somebody has installed it beside.
    """
    from papermill import execute_notebook

    _in_one_process(
        batch,
        execute=lambda *paths, parameters: execute_notebook(
            *paths, parameters, engine_name="embedded", progress_bar=False
        ),
    )


def _in_one_process(batch: Batch, *, execute: Callable[..., object]) -> None:
    from nbconvert import HTMLExporter

    os.environ |= {"PMO_ROOT": str(batch.root), "PMO_OUTPUTS": str(batch.outputs)}
    for numbered in enumerate(batch.tasks):
        source, target, task = _places(batch, numbered=numbered)
        execute(str(source), str(target), parameters=task.parameters)
        page, _ = HTMLExporter().from_filename(str(target))
        target.with_suffix(".html").write_text(page, encoding="utf-8")


def _places(batch: Batch, *, numbered: tuple[int, Task]) -> tuple[Path, Path, Task]:
    number, task = numbered
    return batch.root / "notebooks" / f"{task.report}.ipynb", batch.staging / f"{number}.ipynb", task


def ours(batch: Batch) -> None:
    """Make reports as ``pmo run`` does, and move each to where it is published."""
    for job in _forked(made, batch=batch):
        publish(job.staged, root=job.staging / "published")


def floor(batch: Batch) -> None:
    """Make reports with nothing around their cells and their page."""
    list(_forked(bare, batch=batch))


def start(batch: Batch) -> None:
    """Start the server."""
    list(Workers(warm=warm_modules()).run(nothing, jobs=batch.tasks[:1]))


def nothing(_: object) -> None:
    """Do nothing."""


def _forked(function: Callable[[Job], Any], *, batch: Batch) -> Iterator[Job]:
    jobs = [
        Job(batch.root, batch.outputs, batch.staging / str(number), task.report, task.parameters, "pmo")
        for number, task in enumerate(batch.tasks)
    ]
    for outcome in Workers(warm=warm_modules()).run(function, jobs=jobs):
        if outcome.error:
            raise outcome.error
        yield outcome.job


def bare(job: Job) -> None:
    """Run the cells of one notebook as a script, with its parameters, and write the page of what they display.

    The page is the one that :func:`ours` makes, to the byte.
    """
    from papermill.translators import PythonTranslator

    from pmo_lib.render.page import render

    os.environ |= {"PMO_ROOT": str(job.root), "PMO_OUTPUTS": str(job.outputs)}
    document = json.loads((job.root / "notebooks" / f"{job.report}.ipynb").read_text(encoding="utf-8"))
    first = next(n for n, cell in enumerate(document["cells"]) if "parameters" in cell["metadata"].get("tags", []))
    declared = "".join(document["cells"][first]["source"])
    ordered = dict(sorted(job.parameters.items(), key=lambda item: declared.index(item[0])))
    given = {**document["cells"][first], "source": PythonTranslator.codify(ordered)}
    document["cells"].insert(first + 1, given)
    run(document["cells"])
    page = render(nbformat.from_dict(document), assets="../assets" if job.portfolio else "assets")
    job.staging.with_suffix(".html").write_text(page, encoding="utf-8")


def run(cells: list[dict[str, Any]]) -> None:
    """Execute cells in this process; each gets the outputs that it displays."""
    shown: list[Bundle] = []

    def display(thing: Any, *, raw: bool = False, metadata: Mapping[str, Any] | None = None) -> None:
        bundle = thing if raw else _bundle(thing)
        shown.append({"output_type": "display_data", "data": bundle, "metadata": metadata or {}})

    _put_in_place(display)
    names = {"display": display, "__name__": "__main__"}
    for cell in cells:
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "code":
            exec(compile(cell["source"], cell["id"], "exec"), names)  # noqa: S102 - the notebook is ours
            cell["outputs"] = [*shown]
            shown.clear()


def _bundle(figure: Any) -> Bundle:
    """Return a figure as a notebook would hold it."""
    import plotly.io as pio

    return dict(pio.renderers["plotly_mimetype"].to_mimebundle(figure.to_dict()))


def _put_in_place(display: Callable[..., None]) -> None:
    """Let the rooms that show and publish do so without a notebook."""
    import scrapbook.api
    import scrapbook.utils

    import pmo_lib.report

    pmo_lib.report.display = display  # type: ignore[assignment]
    scrapbook.api.ip_display = display
    scrapbook.utils.is_kernel = lambda: True


WAYS: dict[str, Callable[[Batch], None]] = {
    "a": by_command, "b": as_library, "c": with_ploomber, "d": ours, "e": floor, "s": start,
}  # fmt: skip


def main() -> None:
    """Make the batch that a file holds; arguments: way, file."""
    WAYS[sys.argv[1]](pickle.loads(Path(sys.argv[2]).read_bytes()))  # noqa: S301 - batch_speed wrote it
