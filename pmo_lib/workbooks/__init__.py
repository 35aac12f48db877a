"""Every workbook that we write. Text stays text, dates are dates; what is ours alone has the same bytes every time.

Inside: ``layout`` < ``returns``, ``examples``, ``notes``, ``remarks``, ``cached`` < ``template``, ``listing`` <
``annotate``.
"""

from __future__ import annotations

from pmo_lib.workbooks.layout import LONGEST_TEXT
from pmo_lib.workbooks.returns import Formula, Instead, return_bytes, write_return

__all__ = ["LONGEST_TEXT", "Formula", "Instead", "return_bytes", "write_return"]
