"""Markdown cells: HTML with anchors that do not change, and what the table of contents needs of them.

The markdown of a notebook is ours and trusted; markdown in an *output* may come from data and is never rendered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

CONTENTS_LEVELS = (2, 3)
_TAG = re.compile(r"<[^>]*>")


@dataclass
class Headings:
    """The headings of one page, in order: (level, id, text as HTML)."""

    found: list[tuple[int, str, str]] = field(default_factory=list)
    taken: set[str] = field(default_factory=lambda: {"main", "page-script", "plotly"})

    def html(self, markdown: str) -> str:
        """Return a markdown cell as HTML and remember its headings."""
        return MarkdownWithMath(renderer=_Renderer(self)).render(markdown)

    def add(self, level: int, *, text: str) -> str:
        """Remember a heading; return its id: its words, with a number if another heading has the same."""
        words = re.sub(r"[^\w]+", "-", Markup(_TAG.sub("", text)).unescape().lower()).strip("-") or "section"  # noqa: S704
        stem = f"section-{words}" if words.startswith("figure-") else words
        name, number = stem, 1
        while name in self.taken:
            number += 1
            name = f"{stem}-{number}"
        self.taken.add(name)
        self.found.append((level, name, text))
        return name

    def contents(self) -> Markup:
        """Return the table of contents, empty if there are fewer than two headings to list."""
        listed = [(level, name, text) for level, name, text in self.found if level in CONTENTS_LEVELS]
        if len(listed) < 2:
            return Markup("")
        items = Markup("\n").join(
            Markup('<li class="level-{}"><a href="#{}">{}</a></li>').format(
                level,
                name,
                Markup(_TAG.sub("", text)),  # noqa: S704
            )
            for level, name, text in listed
        )
        return Markup('<nav class="toc" aria-label="Contents"><ol>\n{}\n</ol></nav>').format(items)


class _Renderer(IPythonRenderer):
    """Nbconvert's renderer with our anchors, and without links that run scripts."""

    def __init__(self, headings: Headings) -> None:
        super().__init__(escape=False, allow_harmful_protocols=False)
        self._headings = headings

    def heading(self, text: str, level: int, **_: Any) -> str:
        """Return a heading with its id."""
        return f'<h{level} id="{self._headings.add(level, text=text)}">{text}</h{level}>\n'
