"""What auditors hand on: two runs compared, the late corrections of a period, a run as a crate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pmo_lib.cli.archive import archive
from pmo_lib.cli.group import ORG, outputs
from pmo_lib.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pmo_lib.snapshots import Correction

OUT = click.Path(dir_okay=False, path_type=Path)


@click.command()
@ORG
@click.option("--period", required=True, help="YYYY-MM of the snapshots.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def corrections(*, org: str, period: str, as_json: bool) -> None:
    """Print the late corrections of a period: who made each, when and why, and every row and cell that it changed."""
    from pmo_lib.archive.ledger import whole_ledger
    from pmo_lib.snapshots import Archive, corrections as corrected

    root = archive_of(org)
    snapshots = Archive(root)
    if not snapshots.manifests(period):
        have = ", ".join(snapshots.periods()) or "none yet"
        raise StoreError(f"{org}: there is no snapshot of {period}; there are: {have}", fix="name one of them")
    found = corrected(snapshots, entries=whole_ledger(root), period=period)
    if as_json:
        from pmo_lib.snapshots.corrections import SCHEMA

        told = {"schema": SCHEMA, "organisation": org, "period": period, "corrections": [one.document for one in found]}
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return
    for one in found:
        for line in _lines(one):
            click.echo(line)
    click.echo(f"{org} {period}: {len(found)} late {'correction' if len(found) == 1 else 'corrections'}")


@click.command()
@click.argument("old")
@click.argument("new")
@ORG
@click.option("--json", "as_json", type=OUT, default=None, help="Write all of it here as JSON.")
@click.option("--html", "as_page", type=OUT, default=None, help="Write it here as a page.")
def compare(old: str, *, new: str, org: str, as_json: Path | None, as_page: Path | None) -> None:
    """Compare two runs of the archive: figures, the rows behind them, rules, code and data.

    OLD and NEW are folders of runs, the last part of one, or period/portfolio/report for the newest run of a report.
    """
    from pmo_lib.archive.reading import shown
    from pmo_lib.audit.compare import compare as compared
    from pmo_lib.audit.compared import lines, page
    from pmo_lib.audit.named import kept
    from pmo_lib.store import write_atomically

    root = archive_of(org)
    comparison = compared(kept(root, name=old), new=kept(root, name=new))
    if as_json is not None:
        write_atomically(as_json, content=comparison.content)
        click.echo(f"written to {as_json}")
    if as_page is not None:
        write_atomically(as_page, content=page(comparison))
        click.echo(f"written to {as_page}")
    if as_json is None and as_page is None:
        click.echo("\n".join(shown(line) for line in lines(comparison)))


@archive.command()
@click.argument("run")
@click.argument("out", type=click.Path(path_type=Path))
@ORG
def crate(run: str, *, out: Path, org: str) -> None:
    """Write a run and all that it was made of as a Process Run Crate: OUT is a .zip, or a new folder.

    RUN is the folder of a run, the last part of it, or period/portfolio/report for the newest run of a report.
    """
    from pmo_lib.archive.reading import shown
    from pmo_lib.audit.crate import crate as written
    from pmo_lib.audit.named import kept

    found = kept(archive_of(org), name=run)
    for line in written(found, out=out):
        click.echo(shown(f"not in it: {line}"))
    click.echo(f"{found.place} written to {out}")


def archive_of(org: str) -> Path:
    """Return the archive of an organisation."""
    from pmo_lib.store import inside

    return inside(outputs(), parts=(org, "archive"))


def _lines(one: Correction) -> Iterator[str]:
    from pmo_lib.archive.reading import shown

    entered = f"by {one.operator} at {one.at} (entry {one.entry})" if one.entry else "without an entry in the ledger"
    yield shown(f"{one.old[:12]} → {one.new[:12]} {entered}: {one.reason}")
    yield "  " + (", ".join(f"{what}: {count}" for what, count in one.difference.counts.items()) or "nothing differs")
    for row in one.difference.rows.to_dict("records"):
        if row["what"] == "file":
            yield shown(f"  file {row['new_ref'] or row['old_ref']} {row['change']}")
            continue
        names = (row[name] for name in ("table", "portfolio_id", "key", "column"))
        subject = " ".join(str(name) for name in names if name)
        what = subject if row["what"] == "row" else f"{row['what']} {subject}".strip()
        place = row["new_ref"] or row["old_ref"]
        yield shown(f"  {what}: {_values(row)}" + (f" ({place})" if place else ""))


def _values(row: Mapping[Any, Any]) -> str:
    if row["change"] in ("changed", "arrived", "left"):
        old, new = (row[side] if row[side] is not None else "nothing" for side in ("old", "new"))
        return f"{row['change']}, its file is another" if old == new else f"{old} → {new}"
    return f"{row['change']} {row['new'] if row['new'] is not None else row['old']}"
