"""A seeded, realistic organisation, invented whole: its returns, period by period, without a data file.

Three layers: what really happens to each project (``truth``), what its manager believes and reports (``belief``), and
the tables that are handed in. All tables come from the same two, so that they agree to the penny and the day.

Inside: ``months`` < ``catalogue``, ``wording`` < ``truth`` < ``belief`` < ``money`` < ``planning``, ``network`` <
``risks`` < ``issues`` < ``boards``, ``standing`` < ``returns``.
"""

from __future__ import annotations

from pmo_lib.demo.returns import SEED, organisation_tables, write_returns

__all__ = ["SEED", "organisation_tables", "write_returns"]
