"""The batch on disk: its lock, its log, its plan with the inputs that it froze, and the way from staging to the reader.

Nothing here knows what a report is: a report is a number of files that become visible together.

Inside: ``lock``, ``journal``, ``staging`` < ``folder``.
"""
