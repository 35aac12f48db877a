"""The log of a batch: one JSON object a line, each whole or not there.

The clock stands in it, and nothing is ever decided by it: ``n`` counts the lines, whatever the clock does meanwhile.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Journal:
    """Appends to a log; a line that cannot be written (a full disk) is counted and stops nothing.

    Attributes
    ----------
    path
        The file.
    written, lost
        How many lines were.
    """

    path: Path
    written: int = 0
    lost: int = 0

    def tell(self, event: str, **data: Any) -> None:
        """Append one line: ``n``, ``at`` (UTC), ``event`` and the data, which must be JSON values."""
        self.written += 1
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"n": self.written, "at": at, "event": event, **data}, ensure_ascii=False) + "\n"
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.write(descriptor, line.encode())  # one write: lines of two writers would not mix
            finally:
                os.close(descriptor)
        except OSError:
            self.lost += 1
