"""Returns in, checked tables out: typed cells, states, findings, quarantine and books that close.

The front door is ``check``. Inside: ``values``, ``faults``, ``typed`` <
``cells``, ``layout``, ``published``, ``native`` < ``drafts``, ``plans``, ``gather``, ``plausible`` < ``filling``,
``stacks``, ``hierarchy``, ``continuity`` < ``reading``, ``books`` < ``bundles`` < ``periods`` < ``settle`` < ``check``.
"""
