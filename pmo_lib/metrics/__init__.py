"""Pure metrics by PMO subject: tables in, tidy tables out; no figure, no file, no clock.

Inside, by order of use: ``movement`` (two periods, like for like), ``money``, ``risk`` < ``last_known`` < ``fiscal``,
``ratings``, ``schedule``, ``baselines``, ``milestones``, ``submission``, ``disclosure``, ``quality``, ``bridge``,
``exposure``, ``attention`` < ``cohorts``, ``ledger``, ``facts``, ``health``, ``coverage``, ``risk_summary`` <
``accounts``, ``hierarchy``, ``structure``, ``portfolio`` < ``outlook``, ``cost``, ``standing``, ``headline`` <
``finance``, ``hygiene``, ``contingency``, ``followup``.
"""
