"""A seeded, realistic organisation, invented whole: its returns, period by period, without a data file.

Four layers: what really happens to each project (``truth``), what its manager believes and reports (``belief``), the
tables that are handed in, and the workbooks, with the faults that people make. All tables come from the first two, so
that they agree to the penny and the day; only a few sentences are not so (``untruths``).

Inside: ``months`` < ``catalogue``, ``wording`` < ``truth`` < ``belief`` < ``money`` < ``planning``, ``network`` <
``risks`` < ``issues`` < ``untruths`` < ``boards``, ``standing`` < ``returns`` < ``faults`` < ``writing``.
"""

from __future__ import annotations

from pmo_lib.demo.returns import SEED, Size, organisation_tables, planted_untruths
from pmo_lib.demo.writing import planted_faults, write_periods, write_returns

__all__ = [
    "SEED",
    "Size",
    "organisation_tables",
    "planted_faults",
    "planted_untruths",
    "write_periods",
    "write_returns",
]
