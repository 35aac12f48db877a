"""Pure metrics by PMO subject: tables in, tidy tables out; no figure, no file, no clock.

Inside, by order of use: ``movement`` (two periods, like for like), ``money``, ``risk``, ``calendar``, ``earned_value``,
``network`` < ``last_known``, ``earned_schedule``, ``working_time``, ``crashing`` < ``fiscal``, ``ratings``,
``schedule``, ``baselines``, ``milestones``, ``submission``, ``disclosure``, ``quality``, ``bridge``, ``exposure``,
``attention``, ``progress``, ``critical_path``, ``dependencies`` < ``cohorts``, ``ledger``, ``facts``, ``health``,
``coverage``, ``risk_summary``, ``backtest``, ``pert``, ``schedule_quality`` < ``accounts``, ``hierarchy``, ``plans``,
``structure``, ``portfolio`` < ``accuracy`` < ``outlook``, ``cost``, ``standing``, ``headline`` < ``earned`` <
``finance``, ``hygiene``, ``contingency``, ``followup``, ``across``.
"""
