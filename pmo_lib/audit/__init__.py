"""What an auditor asks of what is published: a figure, traced down to file, sheet and row, and made again from them.

Inside: ``trace`` (a figure, down to its rows).
"""

from pmo_lib.audit.trace import Lead, Place, Traced, led_on, lines, opened, remade, trace

__all__ = ["Lead", "Place", "Traced", "led_on", "lines", "opened", "remade", "trace"]
