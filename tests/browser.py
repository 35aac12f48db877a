"""Opening published pages from disk in headless Chromium, with the network cut and everything written down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

CHROMIUM_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
DRAWN = "() => [...document.querySelectorAll('figure.chart .plot')].every(plot => plot.dataset.drawn === 'yes')"


@dataclass
class Visit:
    """A page that is open, and what happened since it was."""

    page: Page
    folder: Path
    told: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        """Errors and warnings of the console, and exceptions that nobody caught."""
        return [line for line in self.told if line.startswith(("error", "warning", "exception"))]

    @property
    def outside(self) -> list[str]:
        """Addresses that were asked for and are no file below the published folder (data addresses are none)."""
        return [address for address in self.asked if not self._is_inside(address)]

    def _is_inside(self, address: str) -> bool:
        parts = urlsplit(address)
        own = parts.scheme == "file" and Path(unquote(parts.path)).resolve().is_relative_to(self.folder.resolve())
        return own or parts.scheme in ("data", "blob")

    def count(self, selector: str) -> int:
        """Return how many elements match."""
        return self.page.locator(selector).count()

    def value(self, script: str) -> Any:
        """Return what an expression is in the page."""
        return self.page.evaluate(script)


@dataclass
class Browsing:
    """A browser that opens pages, each in a context of its own without network."""

    browser: Browser

    @contextmanager
    def open(self, path: Path, *, folder: Path, width: int = 1440, javascript: bool = True) -> Iterator[Visit]:
        """Open a page from disk and wait until its charts are drawn.

        Parameters
        ----------
        path
            The page.
        folder
            The published folder: nothing outside it may be asked for.
        width
            Of the window, in pixels.
        javascript
            Whether the reader allows it.
        """
        context = self.browser.new_context(
            offline=True, viewport={"width": width, "height": 900}, java_script_enabled=javascript
        )
        page = context.new_page()
        visit = Visit(page, folder)

        def console(message: ConsoleMessage) -> None:
            visit.told.append(f"{message.type} {message.text}")

        page.on("console", console)
        page.on("pageerror", lambda error: visit.told.append(f"exception {error}"))
        page.on("request", lambda request: visit.asked.append(request.url))
        page.goto(path.resolve().as_uri())
        if javascript:
            page.wait_for_function(DRAWN, timeout=30_000)
        yield visit
        context.close()
