"""Returns in, checked tables out: typed cells, states, findings, quarantine and books that close."""
