"""XML → a plain tree: no entity, no document type, no outside address, and a limit on size.

The parser is told to refuse a document type as soon as it sees one, whatever the encoding: entities, which can be
expanded to any size or read other files, are declared nowhere else (XML 1.0, section 2.8).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

from pmo_lib.errors import SourceError
from pmo_lib.sources.delimited import MOST_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_ELEMENTS = 4_000_000
MOST_DEPTH = 100


@dataclass
class Element:
    """An element: its name without namespace, its own text, and what is in it."""

    name: str
    text: str = ""
    inside: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Element]:
        """Yield the elements of that name directly in this one."""
        return (each for each in self.inside if each.name == name)

    def first(self, name: str) -> Element:
        """Return the first element of that name directly in this one; an empty one if there is none."""
        return next(self.all(name), Element(name))

    def get(self, name: str) -> str:
        """Return the text of the first element of that name, ``""`` if there is none."""
        return self.first(name).text.strip()


class _Refused(Exception):
    """Something that no schedule needs."""


class _Tree:
    """Builds the tree while the parser reads."""

    def __init__(self) -> None:
        self.root = Element("")
        self._open = [self.root]
        self._count = 0

    def begin(self, name: str, _attributes: dict[str, str]) -> None:  # positional: expat calls it
        self._count += 1
        if self._count > MOST_ELEMENTS or len(self._open) > MOST_DEPTH:
            raise _Refused(f"holds more than {MOST_ELEMENTS:,} elements, or {MOST_DEPTH} inside each other")
        element = Element(name.rpartition("}")[2])
        self._open[-1].inside.append(element)
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        self._open[-1].text += text


def read_markup(path: Path) -> Element:
    """Return the root of an XML file.

    Raises
    ------
    SourceError
        If it is too large, damaged, or declares a document type.
    """
    if path.stat().st_size > MOST_TEXT:
        raise SourceError(f"{path.name}: more than {MOST_TEXT:,} bytes of text", fix="split the schedule")
    tree = _Tree()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = tree.begin, tree.end
    parser.CharacterDataHandler = tree.text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(path.read_bytes(), True)
    except _Refused as error:
        raise SourceError(f"{path.name}: {error}", fix="export the schedule again") from error
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise SourceError(f"{path.name}: the file is damaged ({error})", fix="export the schedule again") from error
    return tree.root.inside[0]


def _refuse(*_declared: object) -> None:
    raise _Refused("declares a document type, which no schedule needs")
