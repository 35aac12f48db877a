"""The archive: a checkpoint for a place outside, a check of every byte, and the commands that look after it."""

from __future__ import annotations

import json
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
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def verify(*, org: str, seen: Path | None, as_json: bool) -> None:
    """Check every byte of the archive against names, manifests, ledger and checkpoint; change nothing."""
    from pmo_lib.archive import read_checkpoint, verify as verified

    known = None if seen is None else read_checkpoint(seen, organisation=org)
    verdict = verified(_archive(org), checkpoint=known)
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
    how = "every byte is as it was entered" if verdict.clean else f"altered, with {len(verdict.faults)} findings"
    click.echo(
        f"{org}: {how}; {counts['objects']} objects, {counts['snapshots']} snapshots, {counts['entries']} entries, "
        f"{counts['bytes'] / 1e6:.1f} MB; head {verdict.sequence} {verdict.head or 'none'}"
    )
