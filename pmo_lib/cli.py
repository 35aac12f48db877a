"""The ``pmo`` command: template, check, ingest, run, demo, trace.

Exit codes: 0 all published, 1 some reports failed, 2 usage or parameters, 3 data contract refused, 5 another run of the
organisation and period is at work, 130 interrupted.
The rooms are imported inside the commands, so that ``pmo --help`` answers at once.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pmo_lib.errors import DataContractError, ParameterError, PmoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from pmo_lib.contracts.returned import Checked
    from pmo_lib.parameters.mapping import Mapping
    from pmo_lib.parameters.models import Organisation
    from pmo_lib.runner import Done, Request
    from pmo_lib.snapshots import Snapshot

SOURCE = click.argument("source", type=click.Path(exists=True, path_type=Path), required=False)
ORG = click.option("--org", default="demo", show_default=True, help="Organisation: a folder under parameters/.")
MAPPING = click.option("--mapping", default=None, help="Mapping of a foreign layout; default: the organisation's.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "PMO"})
@click.version_option(package_name="pmo-lib")
def commands() -> None:
    """Portfolio returns in; proven health checks, outlooks and risk registers out."""


@commands.command()
@SOURCE
@ORG
@MAPPING
@click.option("--period", default=None, help="YYYY-MM; default: every period that the files hold.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option(
    "--annotate",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    metavar="OUT",
    help="Write a copy of the workbook SOURCE with a comment on every cell at fault.",
)
def check(source: Path | None, *, annotate: Path | None, as_json: bool, **how: Any) -> None:
    """Print every finding of a return, each to its cell; change nothing.

    SOURCE is a file or folder; leave it out where the mapping names a database.
    """
    if annotate is not None:
        _refuse_copy(annotate, of=source)
    refusal: DataContractError | None = None
    findings: pd.DataFrame | None
    try:
        findings = _joined(_checked(source, **how))
    except DataContractError as error:
        refusal, findings = error, error.data.get("findings")
    if as_json:
        records = [] if findings is None else json.loads(findings.to_json(orient="records"))
        click.echo(json.dumps({"refused": str(refusal) if refusal else None, "findings": records}, indent=1))
    else:
        _print_findings(findings)
    if annotate is not None and source is not None and findings is not None:
        _annotate(source, findings=findings, target=annotate)
    if refusal is not None:
        raise refusal


@commands.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@ORG
def template(out: Path, *, org: str) -> None:
    """Write the empty workbook of our own layout: notes, drop-downs, an example in every sheet."""
    from pmo_lib.store import write_atomically
    from pmo_lib.workbooks.template import template_bytes

    organisation, mapping = _settings(org, mapping=None)
    if mapping is not None:
        raise ParameterError(
            f"organisation {org}: its returns come in another layout (mapping {mapping.name}), not in the template",
            fix="fill in that layout, or take another organisation with --org",
            problems=[],
        )
    _refuse_target(out, suffix=".xlsx")
    write_atomically(out, content=template_bytes(organisation=organisation.name, currency=organisation.currency))
    click.echo(f"template of {organisation.name} written to {out}; when it is filled in: pmo check {out}")


@commands.command()
@SOURCE
@ORG
@click.option("--period", required=True, help="YYYY-MM, the month of the status date; 'all' for every period held.")
@MAPPING
@click.option("--reason", default="", help="Why a period is ingested again.")
def ingest(source: Path | None, *, org: str, period: str, mapping: str | None, reason: str) -> None:
    """Check a return and keep it as the snapshot of its period.

    SOURCE is a file or folder; leave it out where the mapping names a database.
    """
    for snapshot in _ingest(source, org=org, period=period, mapping=mapping, reason=reason):
        accounting, findings = snapshot.intake_table("accounting"), snapshot.intake_table("findings")
        click.echo(
            f"{org} {snapshot.period}: snapshot {snapshot.id[:12]}, {len(snapshot.portfolios)} portfolios, "
            f"{accounting['rows_in'].sum()} rows in = {accounting['used'].sum()} used + "
            f"{accounting['quarantined'].sum()} quarantined + {accounting['ignored'].sum()} ignored; "
            f"{len(findings)} findings"
        )
        _tell_silence(snapshot)


@commands.command()
@ORG
@click.option("--period", required=True, help="YYYY-MM of the snapshot to report; 'latest' for the newest.")
@click.option("--portfolio", "portfolios", multiple=True, help="Only this portfolio (repeat for more).")
@click.option("--report", "reports", multiple=True, help="Only this report (repeat for more).")
@click.option("--only-failed", is_flag=True, help="Only what failed or is missing.")
@click.option("--again", is_flag=True, help="Also what is unchanged since it was published.")
@click.option("--explain", is_flag=True, help="Say why each report would be run or not; run nothing.")
@click.option("--resume", is_flag=True, help="Finish the last run of the period, if it was cut off.")
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
def run(*, summary: Path | None, explain: bool, **wanted: Any) -> None:  # fmt: skip
    """Run the reports of a period and publish those that pass; what is unchanged is not run again."""
    wanted["period"] = _period(wanted["org"], asked=wanted["period"])
    if wanted["resume"] and (own := _set_with_resume(wanted)):
        raise click.UsageError(f"--resume finishes a run as it began: leave out {', '.join(own)}")
    if explain:
        _explain(wanted)
        return
    done = _run(wanted)
    if summary is not None:
        _write_summary(summary, org=wanted["org"], period=wanted["period"])
    failed = [one for one in done if one.status == "failed"]
    unchanged = sum(one.status == "unchanged" for one in done)
    _tell_silence(_snapshot(wanted["org"], period=wanted["period"]))
    told = f" ({unchanged} unchanged)" if unchanged else ""
    click.echo(f"{len(done) - len(failed)} of {len(done)} reports published{told}: {_outputs() / 'index.html'}")
    if failed:
        sys.exit(1)


@commands.command()
@click.option("--periods", type=click.IntRange(min=1), default=18, show_default=True, help="Months, up to 2026-09.")
@click.option("--portfolios", type=click.IntRange(min=1), default=12, show_default=True, help="How many of them.")
@click.option("--projects", type=click.IntRange(min=1), default=14, show_default=True, help="Most in a portfolio.")
@click.option("--seed", default=20260930, show_default=True, help="Another seed is another organisation.")
def demo(**wanted: int) -> None:
    """Make the demo organisation's returns, ingest them, and run the reports of its latest period."""
    from pmo_lib.demo import Size, write_periods

    folder, period = _outputs() / "demo" / "returns", ""
    shutil.rmtree(folder, ignore_errors=True)
    for period, written in write_periods(folder, size=Size(**wanted), jobs=os.cpu_count() or 1):
        _ingest(folder / period, org="demo", period=period, mapping=None, reason="the demo was made again")
        click.echo(f"{period}: {len(written)} returns written to {folder / period} and ingested")
    done = _run({"org": "demo", "period": period})
    failed = sum(one.status == "failed" for one in done)
    click.echo(f"{len(done) - failed} of {len(done)} reports of {period} published. Open {_outputs() / 'index.html'}")
    if failed:
        sys.exit(1)


@commands.command()
@ORG
@click.option("--period", required=True, help="YYYY-MM of the report.")
@click.option("--portfolio", default="", help="Portfolio that published the figure; without it, the roll-up.")
@click.option("--figure", required=True, help="Name of the figure, such as cpi.")
@click.option("--report", default="", help="Only this report, where several publish a figure of that name.")
def trace(*, org: str, period: str, portfolio: str, figure: str, report: str) -> None:
    """Print how a published figure is made: definition, formula with the numbers, and every row behind it."""
    from pmo_lib.audit import Place, lines, trace as traced
    from pmo_lib.parameters.load import find_root

    place = Place(find_root(), _outputs(), org, period, portfolio)
    for found in traced(place, figure=figure, report=report):
        click.echo("\n".join(lines(found)))


def main() -> None:
    """Run the command; print an error of ours as one clear line and leave with its code."""
    try:
        commands(standalone_mode=True)
    except PmoError as error:
        click.echo(f"pmo: {error}", err=True)
        sys.exit(error.exit_code)


def _outputs() -> Path:
    from pmo_lib.parameters.load import find_root

    return Path(os.environ["PMO_OUTPUTS"]).resolve() if "PMO_OUTPUTS" in os.environ else find_root() / "outputs"


def _settings(org: str, *, mapping: str | None) -> tuple[Organisation, Mapping | None]:
    from pmo_lib.parameters.load import find_root, load_mapping, load_organisation

    organisation = load_organisation(find_root(), org=org)
    name = mapping or organisation.mapping
    return organisation, None if name is None else load_mapping(find_root(), org=org, name=name)


def _checked(source: Path | None, *, org: str, mapping: str | None, period: str | None) -> list[Checked]:
    import pandas as pd

    from pmo_lib.intake.check import check as check_returns
    from pmo_lib.snapshots import Archive, open_snapshot

    organisation, layout = _settings(org, mapping=mapping)
    archive = Archive(_outputs() / org / "archive")

    def previous(first: str) -> dict[str, pd.DataFrame] | None:
        earlier = [one for one in archive.periods() if one < first]
        if not earlier:
            return None
        before = open_snapshot(archive, period=earlier[-1])
        known = pd.concat(
            [snapshot.table("projects").assign(period=snapshot.period) for snapshot in before.chain()],
            ignore_index=True,
        )
        return {"projects": before.table("projects"), "portfolios": before.table("portfolios"), "earlier": known}

    paths = _paths(source, mapping=layout)
    return check_returns(paths, organisation=organisation, mapping=layout, period=period, previous=previous)


def _paths(source: Path | None, *, mapping: Mapping | None) -> list[Path]:
    """Return what to read besides a database: one of the two is named, never both."""
    if mapping is not None and mapping.database is not None:
        if source is not None:
            raise click.UsageError(f"the mapping {mapping.name} reads a database: leave out {source}")
        return []
    if source is None:
        raise click.UsageError("nothing is named to read: give a file, a folder, or a mapping with a database")
    return [source]


def _ingest(source: Path | None, *, org: str, period: str, mapping: str | None, reason: str) -> list[Snapshot]:
    from pmo_lib.snapshots import Archive, take

    archive = Archive(_outputs() / org / "archive")
    returns = _checked(source, org=org, mapping=mapping, period=None if period == "all" else period)
    return [take(checked, archive=archive, organisation=org, reason=reason) for checked in returns]


def _snapshot(org: str, *, period: str) -> Snapshot:
    from pmo_lib.snapshots import Archive, open_snapshot

    return open_snapshot(Archive(_outputs() / org / "archive"), period=period)


def _period(org: str, *, asked: str) -> str:
    """Return the period that is asked for: ``latest`` is the newest that was ingested."""
    from pmo_lib.snapshots import Archive

    if asked != "latest":
        return asked
    periods = Archive(_outputs() / org / "archive").periods()
    if not periods:
        raise ParameterError(f"{org}: nothing was ingested yet", fix="run `pmo ingest` first", problems=[])
    return periods[-1]


def _tell_silence(snapshot: Snapshot) -> None:
    """Name every portfolio that returned nothing usable, and what its pages show instead."""
    returns = snapshot.returns
    for row in returns[returns["known"].ne(returns["period"])].to_dict("records"):
        instead = f"its reports show what was known in {row['known']}" if row["known"] else "nothing is known of it"
        click.echo(f"{row['portfolio_id']} {snapshot.period}: {row['state']} ({row['reason']}); {instead}")


def _run(wanted: dict[str, Any]) -> list[Done]:
    from pmo_lib.parameters.load import find_root
    from pmo_lib.runner import resume, run

    request = _request(wanted)
    with _progress() as tell:
        if wanted.get("resume"):
            return resume(request, outputs=_outputs(), tell=tell)
        return run(request, root=find_root(), outputs=_outputs(), tell=tell)


def _request(wanted: dict[str, Any]) -> Request:
    from pmo_lib.runner import Request

    plain = ("jobs", "engine", "seconds", "total_seconds", "memory_mib", "again", "only_failed")
    return Request(
        organisation=wanted["org"],
        period=wanted["period"],
        portfolios=tuple(wanted.get("portfolios", ())),
        reports=tuple(wanted.get("reports", ())),
        overrides=_overrides(wanted.get("settings", ())),
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

    told = explain(_request(wanted), root=find_root(), outputs=_outputs())
    for portfolio, report, reasons in told:
        why = f"would run: {'; '.join(reasons)}" if reasons else "unchanged"
        click.echo(f"{portfolio or 'organisation'} {report}: {why}")
    click.echo(f"{sum(bool(reasons) for *_, reasons in told)} of {len(told)} reports would be run")


def _refuse_target(out: Path, *, suffix: str) -> None:
    """Refuse to write over anything: people type into templates and mend in annotated copies."""
    if out.suffix.lower() != suffix:
        raise ParameterError(f"{out}: does not end in {suffix}", fix=f"name it {out.stem}{suffix}", problems=[])
    if out.exists() or out.is_symlink():
        raise ParameterError(
            f"{out}: is there already, and somebody may have typed into it",
            fix="name another file, or delete it first",
            problems=[],
        )


def _refuse_copy(out: Path, *, of: Path | None) -> None:
    """Refuse a copy that cannot be made, before anything is checked."""
    from pmo_lib.workbooks.remarks import SUFFIXES

    if of is None or not of.is_file() or of.suffix.lower() not in SUFFIXES:
        raise ParameterError(
            f"{of or 'a database'}: only a workbook can be annotated ({', '.join(SUFFIXES)}), one at a time",
            fix="name one workbook, or leave out --annotate: every finding names its file and row, with --json too",
            problems=[],
        )
    _refuse_target(out, suffix=of.suffix.lower())


def _annotate(source: Path, *, findings: pd.DataFrame, target: Path) -> None:
    from pmo_lib.store import write_atomically
    from pmo_lib.workbooks.annotate import annotated

    copy = annotated(source, findings=findings)
    write_atomically(target, content=copy.content)
    lost = f"; not carried over: {', '.join(copy.lost)}" if copy.lost else ""
    click.echo(f"{copy.cells} cells marked in {target}, {len(findings)} findings listed{lost}", err=True)


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


def _write_summary(path: Path, *, org: str, period: str) -> None:
    """Copy how the batch ended to where it was asked for."""
    from pmo_lib.batch.folder import latest
    from pmo_lib.store import write_atomically

    batch = latest(_outputs() / org / "archive" / "batches" / period)
    if batch is not None and batch.summary is not None:
        write_atomically(path, content=(json.dumps(batch.summary, indent=1, ensure_ascii=False) + "\n").encode())


def _joined(returns: list[Checked]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([checked.findings for checked in returns], ignore_index=True)


def _print_findings(findings: pd.DataFrame | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if findings is None or findings.empty:
        click.echo("no findings")
        return
    table = Table(show_lines=False)
    for heading in ("severity", "place", "what is wrong", "what to do", "action"):
        table.add_column(heading, overflow="fold")
    for row in findings.to_dict("records"):
        place = " ".join(str(part) for part in (row["file"], row["sheet"], row["cell"] or row["row"] or "") if part)
        table.add_row(*(Text(str(part)) for part in (row["severity"], place, _what(row), row["fix"], row["action"])))
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    counts = findings["severity"].value_counts()
    click.echo(", ".join(f"{count} {severity}" for severity, count in counts.items()))


def _what(row: dict[Any, Any]) -> str:
    value = f": {row['value']!r}" if row["value"] and str(row["value"]) not in row["message"] else ""
    return f"{row['message']}{value}"


if __name__ == "__main__":
    main()
