"""Parameters: YAML in, frozen typed models out; every problem is named at once.

Inside: ``models`` (organisation, portfolio, reports) < ``traced`` (which settings are read) < ``mapping`` (a foreign
layout) < ``documents`` (YAML and its problems) < ``load`` (files → models).
"""
