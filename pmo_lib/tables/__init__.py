"""Metric table → accessible, escaped HTML table, by the subjects of ``metrics``.

Inside: ``html`` (the writer) < one module per subject < ``tiles`` (the figures at the head of a page) <
``restated`` (what a corrected page says before them), ``edition``.
"""
