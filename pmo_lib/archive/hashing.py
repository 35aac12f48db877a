"""Digests of many files, in threads: hashlib lets go of the interpreter's lock."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

from pmo_lib.archive.reading import Fault, File, Unusable, hasher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PORTION_FILES, PORTION_BYTES = 64, 16 << 20
Told: TypeAlias = list[tuple[str, str | Fault]]


def hashed(root: Path, *, files: dict[str, File], threads: int | None) -> tuple[dict[str, str], list[Fault]]:
    """Return the digests of files, and those that could not be read. ``threads``: by default one for each core."""

    def digests(portion: list[str]) -> Told:
        digest = hasher()
        done: Told = []
        for path in portion:
            try:
                done.append((path, digest(root / path)))
            except Unusable as unusable:
                done.append((path, Fault(path, *unusable.args)))
        return done

    portions = list(_portions(files))
    if len(portions) > 1:
        with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as pool:
            told = [each for done in pool.map(digests, portions) for each in done]
    else:
        told = [each for portion in portions for each in digests(portion)]
    return {path: one for path, one in told if isinstance(one, str)}, [one for _, one in told if isinstance(one, Fault)]


def _portions(files: dict[str, File]) -> Iterator[list[str]]:
    """Yield files in portions of about the same work, large ones first."""
    portion: list[str] = []
    size = 0
    for path in sorted(files, key=lambda path: (-files[path].size, path)):
        portion.append(path)
        size += files[path].size
        if len(portion) == PORTION_FILES or size >= PORTION_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
