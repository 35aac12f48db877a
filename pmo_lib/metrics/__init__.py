"""Pure metrics by PMO subject: tables in, tidy tables out; no figure, no file, no clock.

Inside, by order of use: ``movement`` (two periods, like for like), ``money``, ``risk``, ``calendar``,
``distributions``, ``earned_value``, ``network``, ``phrases``, ``restated`` < ``edition``, ``draws``, ``statements``,
``simulation``, ``last_known``, ``earned_schedule``, ``working_time``, ``crashing`` < ``simulation_schedule``,
``simulation_cost``, ``fiscal``, ``ratings``, ``schedule``, ``baselines``, ``milestones``, ``submission``,
``disclosure``, ``quality``, ``bridge``, ``exposure``, ``attention``, ``progress``, ``critical_path``,
``dependencies`` < ``chance``, ``cohorts``, ``ledger``, ``facts``, ``coverage``, ``track_record``, ``risk_summary``,
``backtest``, ``pert``, ``schedule_quality`` < ``reference_classes``, ``accounts``, ``hierarchy``, ``plans``,
``structure``, ``portfolio`` < ``accuracy``, ``claims`` < ``outlook``, ``cost``, ``standing``, ``headline``,
``gates``, ``responses``, ``overlaps``, ``blockers`` < ``earned``, ``risk_trend`` < ``finance``, ``hygiene``,
``contingency``, ``followup``, ``across``, ``measures`` < ``computed``, ``health``, ``drawdown``, ``explained`` <
``assurance``, ``exceptions``, ``registers``, ``named_finance`` < ``judgement``, ``named_costs``, ``named_risk`` <
``grounds`` < ``named_ratings`` < ``named_health`` < ``named_rollup`` (every published figure, with its own rows).
"""
