"""Pure metrics by PMO subject: tables in, tidy tables out; no figure, no file, no clock.

Inside, by order of use: ``movement`` (two periods, like for like), ``money``, ``risk``, ``calendar``,
``distributions``, ``earned_value``, ``network`` < ``draws``, ``simulation``, ``last_known``, ``earned_schedule``,
``working_time``, ``crashing`` < ``simulation_schedule``, ``simulation_cost``, ``fiscal``, ``ratings``, ``schedule``,
``baselines``, ``milestones``, ``submission``, ``disclosure``, ``quality``, ``bridge``, ``exposure``, ``attention``,
``progress``, ``critical_path``, ``dependencies`` < ``chance``, ``cohorts``, ``ledger``, ``facts``,
``coverage``, ``risk_summary``, ``backtest``, ``pert``, ``schedule_quality`` < ``reference_classes``, ``accounts``,
``hierarchy``, ``plans``, ``structure``, ``portfolio`` < ``accuracy`` < ``outlook``, ``cost``, ``standing``,
``headline``, ``gates`` < ``earned`` < ``finance``, ``hygiene``, ``contingency``, ``followup``, ``across``,
``measures`` < ``computed``, ``health`` < ``assurance``, ``exceptions`` < ``judgement``.
"""
