"""The group of all commands, and what they share: where things stand, which settings hold, how an error is told."""

from __future__ import annotations

import getpass
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pmo_lib.errors import PmoError

if TYPE_CHECKING:
    from pmo_lib.archive import SigningKey
    from pmo_lib.parameters.mapping import Mapping
    from pmo_lib.parameters.models import Organisation
    from pmo_lib.snapshots import Snapshot

ORG = click.option("--org", default="demo", show_default=True, help="Organisation: a folder under parameters/.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "PMO"})
@click.version_option(package_name="pmo-lib")
def commands() -> None:
    """Portfolio returns in; proven health checks, outlooks and risk registers out."""


def main() -> None:
    """Run the command; print an error of ours as one clear line and leave with its code."""
    try:
        commands(standalone_mode=True)
    except PmoError as error:
        click.echo(f"pmo: {error}", err=True)
        sys.exit(error.exit_code)


def outputs() -> Path:
    """Return the folder that everything is written to."""
    from pmo_lib.parameters.load import find_root

    return Path(os.environ["PMO_OUTPUTS"]).resolve() if "PMO_OUTPUTS" in os.environ else find_root() / "outputs"


def now() -> str:
    """Return the present moment, as records state it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def operator() -> str:
    """Return who gives the command: the name of the user, as far as the machine has one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no user of this number
        return f"user {os.getuid()}"


def signing_key() -> SigningKey | None:
    """Return the key that ``PMO_SIGNING_KEY`` names, with which what is kept is signed; None: it is unsigned."""
    from pmo_lib.archive import read_key

    named = os.environ.get("PMO_SIGNING_KEY")
    return read_key(Path(named)) if named else None


def settings(org: str, *, mapping: str | None) -> tuple[Organisation, Mapping | None]:
    """Return an organisation and the mapping of its returns, if it has one."""
    from pmo_lib.parameters.load import find_root, load_mapping, load_organisation

    organisation = load_organisation(find_root(), org=org)
    name = mapping or organisation.mapping
    return organisation, None if name is None else load_mapping(find_root(), org=org, name=name)


def snapshot_of(org: str, *, period: str, folder: Path) -> Snapshot:
    """Open the newest snapshot of a period, in a folder of outputs."""
    from pmo_lib.snapshots import Archive, open_snapshot

    return open_snapshot(Archive(folder / org / "archive"), period=period)


def tell_silence(snapshot: Snapshot) -> None:
    """Name every portfolio that returned nothing usable, and what its pages show instead."""
    returns = snapshot.returns
    for row in returns[returns["known"].ne(returns["period"])].to_dict("records"):
        instead = f"its reports show what was known in {row['known']}" if row["known"] else "nothing is known of it"
        click.echo(f"{row['portfolio_id']} {snapshot.period}: {row['state']} ({row['reason']}); {instead}")
