"""What an auditor asks of what is published: a figure traced to cells, a run made again, two runs compared.

Inside: ``named`` (a run by any of its names, its files checked), ``environments`` (what a run is made again in),
``as_of`` (a period as it was known on a day) < ``verdicts`` (whether it is the same), ``origins`` (what two runs were
made of), ``cells`` (of the returned files), ``crate`` (a run to hand on) < ``rerun``, ``compare`` (two runs), ``trace``
(a figure, down to its rows and cells) < ``compared`` (two runs, to be read).
"""

from pmo_lib.audit.as_of import run_as_of
from pmo_lib.audit.named import Kept, kept, place_of
from pmo_lib.audit.rerun import Way, rerun
from pmo_lib.audit.trace import Lead, Place, Traced, led_on, lines, opened, remade, trace, trace_run
from pmo_lib.audit.verdicts import CANNOT, DIFFERENT, FIGURES, IDENTICAL, Verdict

__all__ = [
    "CANNOT", "DIFFERENT", "FIGURES", "IDENTICAL", "Kept", "Lead", "Place", "Traced", "Verdict", "Way", "kept",
    "led_on", "lines", "opened", "place_of", "remade", "rerun", "run_as_of", "trace", "trace_run",
]  # fmt: skip
