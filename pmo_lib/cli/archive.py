"""The archive: a checkpoint for a place outside, a check of every byte, and the commands that look after it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pmo_lib.cli.group import ORG, now, operator, outputs, signing_key
from pmo_lib.errors import ParameterError

if TYPE_CHECKING:
    from pmo_lib.archive import Verdict


@click.group()
def archive() -> None:
    """Look after the archive."""


@archive.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def key(out: Path) -> None:
    """Make a key to sign with: the private half at OUT, for PMO_SIGNING_KEY; the public one at OUT.pub, for verify."""
    from pmo_lib.archive import new_key

    made = new_key(out)
    click.echo(f"key {made.keyid[:12]}: private {out}, public {out}.pub; sign with PMO_SIGNING_KEY={out}")


@archive.command()
@ORG
@click.option("--before", required=True, metavar="YYYY-MM", help="The first period that is kept.")
@click.option("--rule", required=True, help="By which rule: a law, a policy, its paragraph.")
@click.option("--approver", required=True, help="Who approved it.")
@click.option(
    "--what",
    "kinds",
    type=click.Choice(["returns", "runs"]),
    multiple=True,
    default=["returns", "runs"],
    show_default=True,
    help="Raw returns, or runs; may be given again.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and change nothing.")
def expire(*, org: str, before: str, rule: str, approver: str, kinds: tuple[str, ...], dry_run: bool) -> None:
    """Remove raw returns, and pages and results of runs, of the periods before one, as a rule asks.

    The ledger gets an entry with every file that goes, signed where PMO_SIGNING_KEY names a key, before the first byte
    goes; pmo verify then says by which entry each file expired. Tables of snapshots are never removed: reports of later
    periods read them. Of a run its record, signature and sums stay, as proof that it was. What anything that is kept
    still needs stays too, and is counted. Cut off halfway, giving it again finishes it.
    """
    from pmo_lib.archive import Disposal, Ledger, expirable, expire as expired

    if not re.fullmatch(r"[0-9]{4}-(?:0[1-9]|1[0-2])", before):
        raise click.BadParameter(f"--before {before!r} is not a period YYYY-MM")
    for words in (rule, approver):
        if not words.strip() or not words.isprintable():
            raise click.BadParameter("--rule and --approver say who and why in words, on one line each")
    asked = Disposal(before, tuple(sorted(set(kinds))), rule.strip(), approver.strip())
    root = _archive(org)
    if dry_run:
        found, entry = expirable(root, rule=asked), None
    else:
        found, entry = expired(Ledger(root, operator(), signing_key()), rule=asked, at=now())
    for path in found.paths:
        click.echo(f"{'would remove' if dry_run else 'removed'}: {path}")
    for path, why in found.needed.items():
        click.echo(f"stays: {path}: {why}")
    size = sum(one.size for one in found.disposal.files)
    entered = f"entry {entry.sequence}" if entry else "no entry"
    click.echo(
        f"{org}: {len(found.disposal.files)} files, {size / 1e6:.1f} MB of periods before {before}; "
        f"{len(found.needed)} stay, {len(found.unfinished)} of earlier disposals; {entered}"
    )


@archive.command()
@ORG
def wheels(*, org: str) -> None:
    """Keep the packages of the lock as wheels for this Python and platform: pmo rerun then needs no network.

    Only what reports run with: the closure of the library's own dependencies, not the tools of its development.
    """
    import tempfile

    from pmo_lib.archive import Ledger
    from pmo_lib.archive.wheels import keep_wheels
    from pmo_lib.audit.environments import download, running
    from pmo_lib.runner.plan import LOCK, PACKAGE

    root, project = _archive(org), PACKAGE.parent
    if not (project / LOCK).is_file():
        raise ParameterError(f"the library has no {LOCK} beside it", fix="use it from its own folder", problems=[])
    with tempfile.TemporaryDirectory(prefix="pmo-wheels-") as folder:
        found = download(project / "pyproject.toml", lock=project / LOCK, into=Path(folder) / "house")
        size = sum(path.stat().st_size for path in found)
        lock = (project / LOCK).read_bytes()
        entry = keep_wheels(Ledger(root, operator(), signing_key()), lock=lock, of=running().of, wheels=found, at=now())
    click.echo(
        f"{org}: {len(found)} wheels for {' '.join(running().of)} kept, {size / 1e6:.0f} MB; entry {entry.sequence}"
    )


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@ORG
def checkpoint(out: Path, *, org: str) -> None:
    """Write number and sha256 of the ledger's last entry into a file, to be kept outside the archive.

    A checkpoint that is there is replaced only if the ledger goes on from it.
    """
    from pmo_lib.archive import checkpoint_of, read_checkpoint
    from pmo_lib.archive.checkpoints import keep_checkpoint
    from pmo_lib.store import write_atomically

    root = _archive(org)
    if out.resolve().is_relative_to(root.resolve()):
        raise ParameterError(
            f"{out}: lies in the archive, where whoever alters the one alters the other",
            fix="name a place outside, best on another machine",
            problems=[],
        )
    before = read_checkpoint(out, organisation=org) if out.exists() else None
    made = checkpoint_of(root, organisation=org, at=now(), before=before)
    signer = signing_key()
    made = made if signer is None else made.signed(signer)
    write_atomically(out, content=made.content())
    keep_checkpoint(root, made=made)
    click.echo(
        f"{org}: {made.sequence} entries, head {made.head} written to {out}; later: pmo verify --checkpoint {out}"
    )


@click.command()
@ORG
@click.option(
    "--checkpoint",
    "seen",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help="What pmo checkpoint wrote, kept outside.",
)
@click.option(
    "--key",
    "keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A public key that entries, run records and the checkpoint may be signed with; may be given again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def verify(*, org: str, seen: Path | None, keys: tuple[Path, ...], as_json: bool) -> None:
    """Check every byte of the archive against names, manifests, records, ledger and checkpoint; change nothing."""
    from pmo_lib.archive import read_checkpoint, read_trusted, verify as verified

    known = None if seen is None else read_checkpoint(seen, organisation=org)
    verdict = verified(_archive(org), checkpoint=known, trusted=read_trusted(keys) if keys else None)
    if as_json:
        click.echo(json.dumps(verdict.document(), indent=1))
    else:
        _tell(verdict, org=org)
    if not verdict.clean:
        sys.exit(1)


def _archive(org: str) -> Path:
    from pmo_lib.store import inside

    return inside(outputs(), parts=(org, "archive"))


def _tell(verdict: Verdict, *, org: str) -> None:
    for fault in verdict.faults:
        click.echo(f"{fault.what}: {fault.file}: {fault.means}")
    for notice in verdict.notices:
        click.echo(f"notice: {notice.what}: {notice.file}: {notice.means}")
    for each in verdict.not_proven:
        click.echo(f"not proven: {each}")
    counts = verdict.counts
    gone = f", {counts['expired']} files have expired" if counts["expired"] else ""
    how = f"every byte is as it was entered{gone}" if verdict.clean else f"altered, with {len(verdict.faults)} findings"
    click.echo(
        f"{org}: {how}; {counts['objects']} objects, {counts['snapshots']} snapshots, {counts['runs']} runs, "
        f"{counts['entries']} entries, {counts['bytes'] / 1e6:.1f} MB; head {verdict.sequence} {verdict.head or 'none'}"
    )
