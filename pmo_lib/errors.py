"""Every error that this library raises on purpose; each carries its data and says what to do.

::

    PmoError                    a fact, and the next step
    ├── ParameterError          a parameter, mapping or command that cannot be used      (exit 2)
    ├── DataContractError       a return that does not keep the contract                 (exit 3)
    │   ├── SourceError         a file that cannot be read at all
    │   └── SnapshotRefused     a whole return, or a second one without a reason
    ├── StoreError              an object that is missing, altered or outside its root
    ├── Locked                  another run of the same organisation and period is at work (exit 5)
    ├── Interrupted             a run was asked to end before its time                   (exit 130)
    └── ReportError             a report that must not be published                      (exit 1)
        ├── CellFailed          a notebook cell raised
        └── GateRefused         the page is incomplete, or holds what a page may not hold

Message grammar: *where: what is wrong: the value → what to do*.
"""

from __future__ import annotations

from typing import Any


class PmoError(Exception):
    """Base of all errors of this library.

    Parameters
    ----------
    what
        Where and what is wrong, with the value.
    fix
        What to do about it; shown behind an arrow.
    data
        Anything else a program may need (must pickle).
    """

    exit_code = 1

    def __init__(self, what: str, *, fix: str = "", **data: Any) -> None:
        super().__init__(what)
        self.what, self.fix, self.data = what, fix, data

    def __str__(self) -> str:
        """Return ``what → fix``."""
        return f"{self.what} → {self.fix}" if self.fix else self.what

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with all data: errors cross process borders."""
        return _rebuild, (type(self), self.what, self.fix, self.data)


def _rebuild(kind: type[PmoError], what: str, fix: str, data: dict[str, Any]) -> PmoError:
    return kind(what, fix=fix, **data)


class ParameterError(PmoError):
    """A parameter, mapping or command that cannot be used; ``data["problems"]`` lists all of them."""

    exit_code = 2


class DataContractError(PmoError):
    """A return that does not keep the contract; ``data["findings"]`` has them where there are any."""

    exit_code = 3


class SourceError(DataContractError):
    """A file that cannot be read at all: wrong kind, encrypted, a bomb, no sheet."""


class SnapshotRefused(DataContractError):
    """A return that must not become a snapshot."""


class StoreError(PmoError):
    """An object that is missing, altered, or outside its root."""


class Locked(PmoError):
    """Another run of the same organisation and period is at work; ``data["holder"]`` says which."""

    exit_code = 5


class Interrupted(PmoError):
    """A run was asked to end before its time, by Ctrl-C or a signal; ``data["signal"]`` names it."""

    exit_code = 130


class ReportError(PmoError):
    """A report that must not be published; ``data["stage"]`` says how far it came."""


class CellFailed(ReportError):
    """A notebook cell raised: ``data`` has ``cell``, ``source`` and ``traceback``."""


class GateRefused(ReportError):
    """A page that is incomplete, or holds what a page may not hold: ``data["reasons"]``."""
