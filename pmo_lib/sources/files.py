"""A source file: its name, its digest, and whether it may be opened at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class SourceFile:
    """One file that was read: ``name`` (without folder), ``sha256`` of its bytes, ``size`` in bytes, and where it lay."""

    name: str
    sha256: str
    size: int
    path: Path
