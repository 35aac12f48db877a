"""The archive proves itself: a ledger of what it holds, a checkpoint for a place outside, and a check of every byte.

::

    <archive>/objects/sha256/<2 digits>/<digest>   bytes, by the sha256 that is their name
             /snapshots/<period>/<id>.json         manifests, by theirs
             /ledger/<number>.json                 what was kept, in order; each entry has the sha256 of the one before
             /batches/                             plans and logs of runs: not evidence, and not sealed

What lies here may have been put here by anybody: it is looked up by name and hashed, and never followed, opened as
anything but a regular file, imported or executed.

Inside: ``reading`` (hostile files) < ``ledger`` < ``contents`` (what each file should hold) < ``verify``.
"""

from pmo_lib.archive.ledger import Checkpoint, Entry, checkpoint_of, enter, read_checkpoint
from pmo_lib.archive.verify import Verdict, verify

__all__ = ["Checkpoint", "Entry", "Verdict", "checkpoint_of", "enter", "read_checkpoint", "verify"]
