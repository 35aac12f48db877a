"""The ``pmo`` command: the only room that prints and sets an exit code.

Inside: ``group`` (of all commands) < ``archive`` < ``comparisons``, ``rerun``, ``returns`` < ``reports`` <
``__main__``.

Exit codes: 0 all published, 1 some reports failed or the archive is not as it was, 2 usage or parameters, 3 data
contract refused, 5 another run of the organisation and period is at work, 130 interrupted.
The rooms are imported inside the commands, so that ``pmo --help`` answers at once.
"""

from pmo_lib.cli.archive import archive, checkpoint, verify
from pmo_lib.cli.comparisons import compare, corrections
from pmo_lib.cli.group import commands, main
from pmo_lib.cli.reports import demo, run, trace
from pmo_lib.cli.rerun import rerun
from pmo_lib.cli.returns import check, ingest, template

_ALL = (template, check, ingest, run, rerun, trace, compare, corrections, verify, checkpoint, archive, demo)
for _each in _ALL:
    commands.add_command(_each)

__all__ = ["commands", "main"]
