"""Fixtures that several rooms' tests share: real portfolios, browser, office program and database server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from browser import CHROMIUM_ARGUMENTS, Browsing
from databases import Server, programs, running
from hypothesis import settings

# A busy machine is no fault of a property, and the same tree must give the same verdict twice.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def _missing(what: str) -> NoReturn:
    """Skip with the reason, or fail where PMO_CI promises that everything is there."""
    if os.environ.get("PMO_CI") == "1":
        pytest.fail(f"PMO_CI=1, but {what}")
    pytest.skip(what)


@pytest.fixture(autouse=True, scope="module")
def same_main() -> Iterator[None]:
    """Put ``__main__`` back: a shell that a test starts takes its place, and a fork server needs the real one."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real portfolios, named by PMO_REAL_DATA; its README says what is in it."""
    named = os.environ.get("PMO_REAL_DATA", "")
    if not named:
        _missing("PMO_REAL_DATA does not name the folder of the real portfolios")
    folder = Path(named)
    if not folder.is_dir():
        _missing(f"PMO_REAL_DATA is no folder: {named}")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Path of a Chromium that opens pages from disk; PMO_CHROMIUM names another than the one on the path."""
    named = os.environ.get("PMO_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if named is None or not Path(named).is_file():
        _missing(f"no Chromium was found on the path ({', '.join(BROWSERS)}) or in PMO_CHROMIUM")
    return Path(named)


@pytest.fixture(scope="session")
def libreoffice() -> Path:
    """Path of a LibreOffice that opens workbooks; PMO_SOFFICE names another than the one on the path."""
    named = os.environ.get("PMO_SOFFICE") or shutil.which("soffice")
    if named is None or not Path(named).is_file():
        _missing("no LibreOffice was found on the path (soffice) or in PMO_SOFFICE")
    return Path(named)


@pytest.fixture(scope="session")
def openssl() -> Path:
    """Path of an openssl that knows Ed25519."""
    found = shutil.which("openssl")
    if found is None:
        _missing("no openssl was found on the path")
    return Path(found)


@pytest.fixture(scope="session")
def strace() -> Path:
    """Path of a strace that may trace a process and fail its calls."""
    found = shutil.which("strace")
    if found is None:
        _missing("no strace was found on the path")
    tried = subprocess.run(
        [found, "-qq", "-o", "/dev/null", "-e", "inject=rmdir:error=EIO", "true"], capture_output=True, check=False
    )
    if tried.returncode:
        _missing(f"strace may not trace here: {tried.stderr.decode().strip()}")
    return Path(found)


@pytest.fixture(scope="module")
def browsing(chromium: Path) -> Iterator[Browsing]:
    """A headless Chromium without network, for the tests of one module: it holds an event loop while it runs."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGUMENTS))
        yield Browsing(started)
        started.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server of its own for the tests of one module, from Debian's package or the path."""
    found = programs()
    if found is None:
        _missing("no PostgreSQL was found on the path or in /usr/lib/postgresql")
    with running(found) as server:
        yield server
