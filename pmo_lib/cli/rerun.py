"""Runs made again from the archive alone."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pmo_lib.cli.group import ORG, outputs

if TYPE_CHECKING:
    from pmo_lib.audit import Verdict

PERIOD = re.compile(r"[0-9]{4}-[0-9]{2}")


@click.command()
@ORG
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--engine", type=click.Choice(["pmo", "kernel"]), default=None, help="Default: as each run was made.")
@click.option("--environment", type=click.Choice(["fresh", "here"]), default="fresh", show_default=True,
              help="A new one with the packages of the run's lock, or the one that is running.")  # fmt: skip
@click.option("--python", default="", help="The Python to use; default: of the minor version that a run was made with.")
@click.option("--figures", is_flag=True, help="Be content where all figures and tables are identical.")
@click.option("--variable", "variables", multiple=True, metavar="NAME=VALUE",
              help="A variable of the runs, beyond those of their records (repeat for more).")  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="How many at a time.")
@click.option("--seconds", type=click.FloatRange(min=1), default=900.0, show_default=True, help="Limit of a run.")
@click.option("--in", "folder", type=click.Path(file_okay=False, path_type=Path), default=None,
              help="Work in this folder, and leave it for a look.")  # fmt: skip
@click.option("--json", "summary", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="Write all verdicts here, as JSON.")  # fmt: skip
def rerun(*, runs: tuple[str, ...], org: str, folder: Path | None, summary: Path | None, **wanted: Any) -> None:
    """Make runs again from the archive alone and say of each whether it is the same.

    RUN is the folder of a run in the archive, its last part, period/portfolio/report for the newest run of a report
    (period/report for the organisation's), or a period for all runs of it. IDENTICAL: the same bytes. FIGURES
    IDENTICAL: the same figures and tables. DIFFERENT: not these. CANNOT: something is missing.
    """
    from pmo_lib.archive.runs import places
    from pmo_lib.audit import FIGURES, IDENTICAL, Way, rerun as again
    from pmo_lib.store import inside, write_atomically

    root = inside(outputs(), parts=(org, "archive"))
    named = [name for one in runs for name in (places(root, period=one) if PERIOD.fullmatch(one) else []) or [one]]
    verdicts: list[Verdict] = []
    if wrong := [one for one in wanted["variables"] if "=" not in one]:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE", param_hint="--variable")
    variables = dict(one.split("=", 1) for one in wanted["variables"])
    way = Way(wanted["engine"] or "", wanted["environment"] == "fresh", wanted["python"], variables, wanted["jobs"],
              wanted["seconds"])  # fmt: skip
    with ExitStack() as held:
        work = folder or Path(held.enter_context(tempfile.TemporaryDirectory(prefix="pmo-rerun-")))
        for verdict in again(root, runs=named, way=way, work=work.resolve()):
            verdicts.append(verdict)
            click.echo("\n".join(verdict.lines()))
    counts = Counter(verdict.word for verdict in verdicts)
    click.echo(f"{len(verdicts)} runs: " + ", ".join(f"{count} {word}" for word, count in sorted(counts.items())))
    if summary is not None:
        content = json.dumps([verdict.document for verdict in verdicts], indent=1, ensure_ascii=False) + "\n"
        write_atomically(summary, content=content.encode())
    if counts.keys() - {IDENTICAL, *([FIGURES] if wanted["figures"] else [])}:
        sys.exit(1)
