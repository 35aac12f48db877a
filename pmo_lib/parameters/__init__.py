"""Parameters: YAML in, frozen typed models out; every problem is named at once.

Inside: ``models`` (organisation, portfolio, reports) and ``mapping`` (a foreign layout) < ``load`` (files → models).
"""
