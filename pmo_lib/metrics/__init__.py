"""Pure metrics by PMO subject: tables in, tidy tables out; no figure, no file, no clock.

Inside, by order of use: ``movement`` (two periods, like for like), ``money``, ``risk`` < ``fiscal``, ``ratings``,
``schedule``, ``baselines``, ``milestones``, ``quality``, ``bridge``, ``exposure``, ``attention`` < ``ledger``,
``facts``, ``health``, ``coverage``, ``risk_summary`` < ``accounts``, ``hierarchy``, ``structure``, ``portfolio`` <
``outlook``, ``cost``, ``finance``, ``headline``.
"""
