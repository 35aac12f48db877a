"""The tables that every report stands on: columns, units, keys, allowed values, rules, findings.

Inside: ``columns`` (what a column is) < ``tables`` (the tables) < ``findings`` < ``rules`` (what typed tables must keep).
"""
