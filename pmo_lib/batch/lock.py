"""A lock that the kernel releases: whoever holds it has died or let go before another can take it."""

from __future__ import annotations

import fcntl
import os
import platform
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pmo_lib.errors import Locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST = 200


@contextmanager
def locked(path: Path, *, what: str, wait: bool = False) -> Iterator[None]:
    """Hold a lock on a file, which is made where it is missing and stays: only the lock on it means anything.

    Parameters
    ----------
    path
        The file; whoever holds the lock writes into it who it is.
    what
        What is locked, for the message.
    wait
        Wait for the lock, for as long as it takes.

    Raises
    ------
    Locked
        If another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)  # no child has it: it ends with us
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            holder = os.pread(descriptor, LONGEST, 0).decode(errors="replace").strip() or "unknown"
            raise Locked(
                f"{what}: another run is at work ({holder})",
                fix="wait for it, or end it; nothing has to be unlocked by hand",
                holder=holder,
            ) from None
        if not wait:  # nobody asks who holds a lock that is waited for
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {platform.node()}\n".encode()[:LONGEST], 0)
        yield
    finally:
        os.close(descriptor)
