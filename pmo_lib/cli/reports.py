"""Reports: run those of a period, run the demo, trace a published figure."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pmo_lib.cli.group import ORG, operator, outputs, signing_key, snapshot_of, tell_silence
from pmo_lib.cli.returns import ingested
from pmo_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pmo_lib.runner import Done, Request


@click.command()
@ORG
@click.option("--period", required=True, help="YYYY-MM of the snapshot to report; 'latest' for the newest.")
@click.option("--portfolio", "portfolios", multiple=True, help="Only this portfolio (repeat for more).")
@click.option("--report", "reports", multiple=True, help="Only this report (repeat for more).")
@click.option("--only-failed", is_flag=True, help="Only what failed or is missing.")
@click.option("--again", is_flag=True, help="Also what is unchanged since it was published.")
@click.option("--explain", is_flag=True, help="Say why each report would be run or not; run nothing.")
@click.option("--resume", is_flag=True, help="Finish the last run of the period, if it was cut off.")
@click.option("--as-of", "as_of", default=None, metavar="DATE",
              help="As it was known then (YYYY-MM-DD, end of day UTC), beside what is published today.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), default=None, help="Processes at a time; default: one per core.")
@click.option("--seconds", type=click.FloatRange(min=1), default=600.0, show_default=True, help="Limit of a report.")
@click.option("--total-seconds", type=click.FloatRange(min=1), default=None, help="Limit of the whole run.")
@click.option("--memory", "memory_mib", type=click.IntRange(min=256), default=4_096, show_default=True,
              help="Limit of the data of a report, in MiB.")  # fmt: skip
@click.option(
    "--engine",
    type=click.Choice(["pmo", "kernel"]),
    default="pmo",
    show_default=True,
    help="Warm engine, or the stock kernel.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting for this run, such as thresholds.cost_red=0.15.",
)
@click.option(
    "--summary",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Write how the run and every report ended here, as JSON.",
)
def run(*, summary: Path | None, explain: bool, as_of: str | None, **wanted: Any) -> None:  # fmt: skip
    """Run the reports of a period and publish those that pass; what is unchanged is not run again."""
    wanted["period"] = _period(wanted["org"], asked=wanted["period"])
    if wanted["resume"] and (own := _set_with_resume(wanted)):
        raise click.UsageError(f"--resume finishes a run as it began: leave out {', '.join(own)}")
    if explain:
        _explain(wanted)
        return
    if as_of is not None and wanted["resume"]:
        raise click.UsageError("--as-of begins anew each time: leave out --resume")
    folder, done = (outputs(), _run(wanted)) if as_of is None else _run_as_of(wanted, date=as_of)
    if summary is not None:
        _write_summary(summary, folder=folder, org=wanted["org"], period=wanted["period"])
    failed = [one for one in done if one.status == "failed"]
    unchanged = sum(one.status == "unchanged" for one in done)
    tell_silence(snapshot_of(wanted["org"], period=wanted["period"], folder=folder))
    told = f" ({unchanged} {'unchanged' if as_of is None else 'as reported then'})" if unchanged else ""
    click.echo(f"{len(done) - len(failed)} of {len(done)} reports published{told}: {folder / 'index.html'}")
    if failed:
        sys.exit(1)


@click.command()
@click.option("--periods", type=click.IntRange(min=1), default=18, show_default=True, help="Months, up to 2026-09.")
@click.option("--portfolios", type=click.IntRange(min=1), default=12, show_default=True, help="How many of them.")
@click.option("--projects", type=click.IntRange(min=1), default=14, show_default=True, help="Most in a portfolio.")
@click.option("--seed", default=20260930, show_default=True, help="Another seed is another organisation.")
def demo(**wanted: int) -> None:
    """Make the demo organisation's returns, ingest them, and run the reports of its latest period."""
    from pmo_lib.demo import Size, write_periods

    folder, period = outputs() / "demo" / "returns", ""
    shutil.rmtree(folder, ignore_errors=True)
    for period, written in write_periods(folder, size=Size(**wanted), jobs=os.cpu_count() or 1):
        ingested(folder / period, org="demo", period=period, mapping=None, reason="the demo was made again")
        click.echo(f"{period}: {len(written)} returns written to {folder / period} and ingested")
    done = _run({"org": "demo", "period": period})
    failed = sum(one.status == "failed" for one in done)
    click.echo(f"{len(done) - failed} of {len(done)} reports of {period} published. Open {outputs() / 'index.html'}")
    if failed:
        sys.exit(1)


@click.command()
@ORG
@click.option("--period", default="", help="YYYY-MM of the report.")
@click.option("--portfolio", default="", help="Portfolio that published the figure; without it, the roll-up.")
@click.option("--figure", required=True, help="Name of the figure, such as cpi.")
@click.option("--report", default="", help="Only this report, where several publish a figure of that name.")
@click.option("--run", "of", default="", help="A run of the archive: its folder, or period/portfolio/report.")
def trace(*, org: str, figure: str, of: str, **where: str) -> None:
    """Print how a published figure is made: definition, formula with the numbers, every row and cell behind it.

    With --run all of it comes from the archive; with --period it is what is published now.
    """
    from pmo_lib.archive.reading import shown
    from pmo_lib.audit import Place, kept, lines, trace as traced, trace_run
    from pmo_lib.parameters.load import find_root

    if bool(of) == bool(where["period"]) or (of and any(where.values())):
        raise click.UsageError("name a run of the archive with --run, or a --period (and a --portfolio)")
    if of:
        with tempfile.TemporaryDirectory() as work:
            run = kept(outputs() / org / "archive", name=of)
            found = [trace_run(run, figure=figure, work=Path(work) / "run")]
    else:
        place = Place(find_root(), outputs(), org, where["period"], where["portfolio"])
        found = traced(place, figure=figure, report=where["report"])
    for one in found:
        click.echo("\n".join(map(shown, lines(one))))


def _period(org: str, *, asked: str) -> str:
    """Return the period that is asked for: ``latest`` is the newest that was ingested."""
    from pmo_lib.snapshots import Archive

    if asked != "latest":
        return asked
    periods = Archive(outputs() / org / "archive").periods()
    if not periods:
        raise ParameterError(f"{org}: nothing was ingested yet", fix="run `pmo ingest` first", problems=[])
    return periods[-1]


def _run(wanted: dict[str, Any]) -> list[Done]:
    from pmo_lib.parameters.load import find_root
    from pmo_lib.runner import resume, run

    request = _request(wanted)
    with _progress() as tell:
        if wanted.get("resume"):
            return resume(request, root=find_root(), outputs=outputs(), tell=tell)
        return run(request, root=find_root(), outputs=outputs(), tell=tell)


def _run_as_of(wanted: dict[str, Any], *, date: str) -> tuple[Path, list[Done]]:
    from pmo_lib.audit import run_as_of
    from pmo_lib.parameters.load import find_root

    with _progress() as tell:
        return run_as_of(_request(wanted), date=date, root=find_root(), outputs=outputs(), tell=tell)


def _request(wanted: dict[str, Any]) -> Request:
    from pmo_lib.runner import Request

    plain = ("jobs", "engine", "seconds", "total_seconds", "memory_mib", "again", "only_failed")
    return Request(
        organisation=wanted["org"],
        period=wanted["period"],
        portfolios=tuple(wanted.get("portfolios", ())),
        reports=tuple(wanted.get("reports", ())),
        overrides=_overrides(wanted.get("settings", ())),
        operator=operator(),
        key=signing_key(),
        **{name: wanted[name] for name in plain if name in wanted},
    )


def _set_with_resume(wanted: dict[str, Any]) -> list[str]:
    """Return the options that say what to run: a run that is taken up again has said so already."""
    options = {"portfolios": "--portfolio", "reports": "--report", "settings": "--set", "again": "--again",
               "only_failed": "--only-failed"}  # fmt: skip
    return [option for name, option in options.items() if wanted[name]]


def _explain(wanted: dict[str, Any]) -> None:
    from pmo_lib.parameters.load import find_root
    from pmo_lib.runner import explain

    told = explain(_request(wanted), root=find_root(), outputs=outputs())
    for portfolio, report, reasons in told:
        why = f"would run: {'; '.join(reasons)}" if reasons else "unchanged"
        click.echo(f"{portfolio or 'organisation'} {report}: {why}")
    click.echo(f"{sum(bool(reasons) for *_, reasons in told)} of {len(told)} reports would be run")


def _overrides(settings: tuple[str, ...]) -> dict[str, str]:
    wrong = [setting for setting in settings if "=" not in setting]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not KEY=VALUE", param_hint="--set")
    return dict(setting.split("=", 1) for setting in settings)


@contextmanager
def _progress() -> Iterator[Callable[[Done, int], None]]:
    """Show a bar on a terminal and plain lines elsewhere; a failure is always a line of its own."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("reports", total=None)

        def tell(done: Done, total: int) -> None:
            bar.update(task, total=total, advance=1)
            name = f"{done.portfolio or 'organisation'} {done.report}"
            if done.status == "failed":
                console.print(f"failed: {name} at {done.stage}: {done.cause}", markup=False, highlight=False)
            elif not console.is_terminal and done.status == "published":
                console.print(f"published: {name} in {done.seconds:.2f} s", markup=False, highlight=False)

        yield tell


def _write_summary(path: Path, *, folder: Path, org: str, period: str) -> None:
    """Copy how the batch ended to where it was asked for."""
    from pmo_lib.batch.folder import latest
    from pmo_lib.store import write_atomically

    batch = latest(folder / org / "archive" / "batches" / period)
    if batch is not None and batch.summary is not None:
        write_atomically(path, content=(json.dumps(batch.summary, indent=1, ensure_ascii=False) + "\n").encode())
