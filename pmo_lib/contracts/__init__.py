"""The tables that every report stands on: columns, units, keys, allowed values, rules, findings.

Inside: ``columns`` < ``parts`` (shared columns) < ``delivery``, ``planning``, ``money``, ``registers`` < ``tables``
(all of them) < ``findings`` < ``failures`` (what a rule says) < ``rows``, ``across`` (rules over a row, over several)
< ``rules`` (all that typed tables must keep). Apart: ``returned``, what intake hands to the snapshot.
"""
