"""The archive proves itself: a ledger of what it holds, a checkpoint for a place outside, and a check of every byte.

::

    <archive>/objects/sha256/<2 digits>/<digest>   bytes, by the sha256 that is their name
             /snapshots/<period>/<id>.json         manifests, by theirs
             /runs/<period>/<portfolio>/<run>/     a report as it was published, with its record and SHA256SUMS
             /ledger/<number>.json                 what was kept, in order; each entry has the sha256 of the one before
             /checkpoints/                         copies of the checkpoints that were made, to tell which there are
             /batches/                             plans and logs of runs: not evidence, and not sealed

What lies here may have been put here by anybody: it is looked up by name and hashed, and never followed, opened as
anything but a regular file, imported or executed.

Inside: ``reading`` (hostile files), ``signing`` < ``ledger``, ``hashing`` < ``checkpoints``, ``statement`` (the run
record) < ``runs`` < ``entering``, ``contents`` (what each file should hold) < ``restore`` (what it held after an entry)
< ``snapshot_contents``, ``run_contents``, ``wheels``, ``disposals`` (who says so) < ``evidence`` (what the ledger tells
of a run) < ``edition`` (all of a period), ``survey`` (all of it) < ``expiry``, ``chain``, ``signatures`` < ``findings``
< ``verify``.
"""

from pmo_lib.archive.checkpoints import Checkpoint, checkpoint_of, read_checkpoint
from pmo_lib.archive.disposals import Disposal, disposed
from pmo_lib.archive.entering import enter, enter_run
from pmo_lib.archive.expiry import Expired, expirable, expire
from pmo_lib.archive.ledger import Entry, Ledger
from pmo_lib.archive.restore import Restored, entry_at, restore
from pmo_lib.archive.runs import Run, keep, read_run
from pmo_lib.archive.signing import SigningKey, Trusted, new_key, read_key, read_trusted
from pmo_lib.archive.verify import Verdict, verify

__all__ = [
    "Checkpoint", "Disposal", "Entry", "Expired", "Ledger", "Restored", "Run", "SigningKey", "Trusted", "Verdict",
    "checkpoint_of", "disposed", "enter", "enter_run", "entry_at", "expirable", "expire", "keep", "new_key",
    "read_checkpoint", "read_key", "read_run", "read_trusted", "restore", "verify",
]  # fmt: skip
