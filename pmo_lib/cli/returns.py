"""Returns: an empty template, what is wrong with a return, and a return kept as the snapshot of its period."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pmo_lib.cli.group import ORG, now, operator, outputs, settings, signing_key, tell_silence
from pmo_lib.errors import DataContractError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

    from pmo_lib.contracts.returned import Checked
    from pmo_lib.parameters.mapping import Mapping
    from pmo_lib.snapshots import Snapshot

SOURCE = click.argument("source", type=click.Path(exists=True, path_type=Path), required=False)
MAPPING = click.option("--mapping", default=None, help="Mapping of a foreign layout; default: the organisation's.")


@click.command()
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


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@ORG
def template(out: Path, *, org: str) -> None:
    """Write the empty workbook of our own layout: notes, drop-downs, an example in every sheet."""
    from pmo_lib.store import write_atomically
    from pmo_lib.workbooks.template import template_bytes

    organisation, mapping = settings(org, mapping=None)
    if mapping is not None:
        raise ParameterError(
            f"organisation {org}: its returns come in another layout (mapping {mapping.name}), not in the template",
            fix="fill in that layout, or take another organisation with --org",
            problems=[],
        )
    _refuse_target(out, suffix=".xlsx")
    write_atomically(out, content=template_bytes(organisation=organisation.name, currency=organisation.currency))
    click.echo(f"template of {organisation.name} written to {out}; when it is filled in: pmo check {out}")


@click.command()
@SOURCE
@ORG
@click.option("--period", required=True, help="YYYY-MM, the month of the status date; 'all' for every period held.")
@MAPPING
@click.option("--reason", default="", help="Why a period is ingested again.")
def ingest(source: Path | None, *, org: str, period: str, mapping: str | None, reason: str) -> None:
    """Check a return and keep it as the snapshot of its period.

    SOURCE is a file or folder; leave it out where the mapping names a database.
    """
    for snapshot in ingested(source, org=org, period=period, mapping=mapping, reason=reason):
        accounting, findings = snapshot.intake_table("accounting"), snapshot.intake_table("findings")
        click.echo(
            f"{org} {snapshot.period}: snapshot {snapshot.id[:12]}, {len(snapshot.portfolios)} portfolios, "
            f"{accounting['rows_in'].sum()} rows in = {accounting['used'].sum()} used + "
            f"{accounting['quarantined'].sum()} quarantined + {accounting['ignored'].sum()} ignored; "
            f"{len(findings)} findings"
        )
        tell_silence(snapshot)


def _checked(source: Path | None, *, org: str, mapping: str | None, period: str | None) -> list[Checked]:
    import pandas as pd

    from pmo_lib.intake.check import check as check_returns
    from pmo_lib.snapshots import Archive, open_snapshot

    organisation, layout = settings(org, mapping=mapping)
    archive = Archive(outputs() / org / "archive")

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


def ingested(source: Path | None, *, org: str, period: str, mapping: str | None, reason: str) -> list[Snapshot]:
    """Check what was returned and keep it: one snapshot for each period, each entered in the ledger."""
    from pmo_lib.archive import Ledger, enter
    from pmo_lib.batch.lock import locked
    from pmo_lib.snapshots import Archive, take

    archive = Archive(outputs() / org / "archive")
    ledger, snapshots = Ledger(archive.root, operator(), key=signing_key()), []
    for checked in _checked(source, org=org, mapping=mapping, period=None if period == "all" else period):
        with locked(archive.root.parent / ".ingest.lock", what=f"the returns of {org}", wait=True):
            snapshot = take(checked, archive=archive, organisation=org, reason=reason)
            entries = enter(ledger, taken=snapshot.id, at=now())
        snapshots.append(snapshot)
        for entry in entries:
            if entry.kind == "adopted":
                told = f"{entry.path} had no entry in the ledger; it is adopted as entry {entry.sequence}"
                click.echo(told, err=True)
    return snapshots


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
