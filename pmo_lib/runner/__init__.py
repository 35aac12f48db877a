"""The batch: what is owed, what of it is unchanged, each report in a process of its own, publication, and the state.

One bad portfolio never stops the rest; whatever ends a run, what stands at a published place is whole, and the run can
be taken up again.

Inside: ``plan`` (what is to be run, and with what), ``job`` (one report, handed over) < ``make`` (and made, in its own
process), ``state`` (what a period has published and what not) < ``unchanged`` (why a report would be run), ``kept``
(what is left of a failed one) < ``keeping`` (each report as a run in the archive) < ``run``; ``again`` (a report
outside a batch, for ``pmo rerun``).
"""

from pmo_lib.runner.job import Job, warm_modules
from pmo_lib.runner.plan import Plan, Request, plan
from pmo_lib.runner.run import explain, made, resume, run
from pmo_lib.runner.state import Done

__all__ = ["Done", "Job", "Plan", "Request", "explain", "made", "plan", "resume", "run", "warm_modules"]
