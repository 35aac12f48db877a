"""What the manifests of snapshots say: objects, each other, and what an entry repeats of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from pmo_lib.archive.contents import Contents, Manifest, Wanted
from pmo_lib.archive.entering import told_of
from pmo_lib.archive.ledger import MANIFEST, is_canonical, is_digest
from pmo_lib.archive.reading import Fault, Unusable, document_of, small_file
from pmo_lib.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pmo_lib.archive.reading import Listing


class Named(NamedTuple):
    """An object as a manifest names it."""

    kind: str
    digest: str
    wanted: Wanted


def take_snapshots(contents: Contents, *, root: Path, listing: Listing) -> None:
    """Take up all manifests that are listed."""
    for path in sorted(listing.files):
        if MANIFEST.fullmatch(path):
            try:
                _take_up(contents, path=path, manifest=_manifest(root, path=path))
            except Unusable as unusable:
                contents.faults.append(Fault(path, *unusable.args))


def _manifest(root: Path, *, path: str) -> dict[str, Any]:
    """Read a manifest whose bytes are those of its name; Unusable if they are not."""
    content = small_file(root / path)
    _, period, name, _ = re.split(r"[/.]", path)
    if digest_of(content) != name:
        torn = not content.endswith(b"}")
        means = "it ends before its end: its writing or copying was cut off" if torn else "bytes of it were changed"
        raise Unusable("torn" if torn else "altered", f"{means}; the snapshot of {period} is no longer what it was")
    manifest = document_of(content)
    if not is_canonical(manifest, content=content):
        raise Unusable("not ours", "it has the name of its bytes, but they are not written as a snapshot writes them")
    if manifest.get("period") != period:
        raise Unusable("wrong name", f"it is a snapshot of another period than {period}: it was moved or copied here")
    return manifest


def _take_up(contents: Contents, *, path: str, manifest: dict[str, Any]) -> None:
    period, name = path.split("/")[1:]
    short = f"snapshot {period} {name[:12]}"
    previous, supersedes = manifest.get("previous"), manifest.get("supersedes")
    named = list(_objects(manifest, short=short))
    if supersedes is not None and not is_digest(supersedes):
        raise Unusable("not ours", "what it supersedes is not the id of a snapshot")
    before = "" if previous is None else _previous(previous)
    for kind, digest, wanted in named:
        if kind == "source":
            contents.objects.setdefault(digest, wanted)
            contents.sources.setdefault(digest, set()).add(path)
        else:
            contents.want(digest, role=wanted.role, size=wanted.size)
    contents.manifests[path] = Manifest(told_of(manifest), before)


def _previous(link: Any) -> str:
    path = f"snapshots/{link.get('period')}/{link.get('id')}.json" if isinstance(link, dict) else ""
    if not MANIFEST.fullmatch(path):
        raise Unusable("not ours", "what it follows is not a snapshot")
    return path


def _objects(manifest: dict[str, Any], *, short: str) -> Iterator[Named]:
    """Yield every object that a manifest names; Unusable if it names them otherwise than ours do."""
    sources = manifest.get("sources")
    if not isinstance(sources, list):
        raise Unusable("not ours", "it has no list of sources")
    named = [("source", str(number), entry) for number, entry in enumerate(sources, start=1)]
    for kind in ("tables", "intake"):
        group = manifest.get(kind)
        if not isinstance(group, dict):
            raise Unusable("not ours", f"it has no {kind}")
        named.extend((kind.removesuffix("s"), name, entry) for name, entry in group.items())
    for kind, name, entry in named:
        if not isinstance(entry, dict) or not is_digest(entry.get("sha256")):
            raise Unusable("not ours", f"its {kind} {name[:40]} names no object")
        size = entry.get("size")
        yield Named(
            kind, entry["sha256"], Wanted(size if type(size) is int else None, f"{kind} {name[:40]} of {short}")
        )
