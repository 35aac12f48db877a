"""Pure metrics by PMO subject: tables in, tidy tables out; no figure, no file, no clock.

Inside, by order of use: ``movement`` (two periods, like for like) < ``schedule``, ``cost``, ``risk`` < ``health``, ``portfolio``.
"""
