"""Files and databases in, raw cells with their positions out; nothing is interpreted here.

Inside: ``files`` (may it be opened?), ``grid`` (what comes out) < ``delimited``, ``columnar``, ``excel``, ``database``,
``plan`` < ``markup``, ``xer`` < ``mspdi``, ``pmxml`` < ``schedules`` < ``read``.
"""
