"""What two runs were made of, against each other: parameters and rules, code and packages, data.

Everything that differs is a dict of ``name, old, new``; null where one of the two does not have it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.statement import asked_of
from pmo_lib.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pmo_lib.audit.named import Kept

Change = dict[str, Any]
ABSENT = object()


def rules_changed(old: Kept, *, new: Kept) -> dict[str, list[Change]]:
    """Return what was asked for and what decided how it was made.

    Returns
    -------
    dict
        ``asked``: the parameters of the run. ``settings``: those that were read, by their full name. ``notebook`` and
        ``sections``: their sha256, and their cells that differ, by id, with their text. ``inputs``: files of parameters
        and notebooks, with their sha256. ``definitions``: what figures of both say of themselves.
    """
    settings = (flat(one.made_with.get("settings", {})) for one in (old, new))
    return {
        "asked": changes(flat(asked_of(one.run.statement)) for one in (old, new)),
        "settings": changes(settings),
        "notebook": _texts(old, new=new, name="notebook"),
        "sections": _texts(old, new=new, name="section:"),
        "inputs": changes(one.listed("inputs") for one in (old, new)),
        "definitions": _definitions(old, new=new),
    }


def code_changed(old: Kept, *, new: Kept) -> dict[str, list[Change]]:
    """Return what the code was.

    Returns
    -------
    dict
        ``tree``: commit, and whether the tree was dirty. ``source``: files of the library with their sha256. ``lock``,
        ``assets``: sha256. ``packages``: Python and every package with its version. ``machine``: engine, numeric
        profile, and variables of the workers.
    """
    around = ("engine", "numeric", "environment")
    return {
        "tree": changes({**_annotations(one, name="source"), "draft": one.told["pmo_draft"]} for one in (old, new)),
        "source": changes(one.listed("source") for one in (old, new)),
        "lock": changes(_digests(one, name="lock") for one in (old, new)),
        "assets": changes(_digests(one, name="assets") for one in (old, new)),
        "packages": changes(map(_packages, (old, new))),
        "machine": changes(flat({name: one.made_with.get(name) for name in around}) for one in (old, new)),
    }


def changes(sides: Iterable[Mapping[str, Any]]) -> list[Change]:
    """Return what differs between two mappings, the earlier first, by name."""
    old, new = sides
    return [
        {"name": name, "old": old.get(name), "new": new.get(name)}
        for name in sorted({*old, *new})
        if old.get(name, ABSENT) != new.get(name, ABSENT)
    ]


def flat(value: Any, *, name: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by their full name; a list is a leaf."""
    if not isinstance(value, dict) or not value:
        return {name: value} if name else {}
    leaves: dict[str, Any] = {}
    for key, each in value.items():
        leaves |= flat(each, name=f"{name}.{key}" if name else str(key))
    return leaves


def _digests(run: Kept, *, name: str) -> dict[str, str]:
    return {one.name: one.sha256 for one in run.made_of(name)}


def _annotations(run: Kept, *, name: str) -> dict[str, Any]:
    return {key: value for one in run.made_of(name) for key, value in (one.annotations or {}).items()}


def _packages(run: Kept) -> dict[str, str]:
    """Return Python and all packages with their versions."""
    found = {}
    for one in run.made_of("environment"):
        told = json.loads(run.archive.store.get(one.sha256))
        found["python"] = str(told["python"])
        found |= dict(str(package).split("==", 1) for package in told["packages"])
    return found


def _texts(old: Kept, *, new: Kept, name: str) -> list[Change]:
    """Return notebooks with other bytes, each followed by its cells that differ."""
    found = []
    for each in changes(_digests(one, name=name) for one in (old, new)):
        cells = (_cells(one, digest=each[side]) for one, side in ((old, "old"), (new, "new")))
        found += [each, *({**cell, "name": f"{each['name']}, cell {cell['name']}"} for cell in changes(cells))]
    return found


def _cells(run: Kept, *, digest: str | None) -> dict[str, str]:
    """Return the texts of a notebook's cells by id; nothing where there is no such notebook, or it is no notebook."""
    try:
        document = json.loads(run.archive.store.get(digest)) if digest else {}
        return {str(cell["id"]): "".join(cell["source"]) for cell in document.get("cells", ())}
    except (ValueError, KeyError, TypeError, AttributeError, StoreError):
        return {}


def _definitions(old: Kept, *, new: Kept) -> list[Change]:
    """Return what the two say otherwise of the figures that both have."""
    told = [one.results.get("explained", {}) for one in (old, new)]
    both = sorted(told[0].keys() & told[1].keys())
    words = ("definition", "formula", "sign", "source")
    said = [{f"{name}, {word}": each[name].get(word) for name in both for word in words} for each in told]
    return changes(said)
