"""Fixtures that several rooms' tests share: the real portfolios, and the browser."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def _missing(what: str) -> NoReturn:
    """Skip with the reason, or fail where PMO_CI promises that everything is there."""
    if os.environ.get("PMO_CI") == "1":
        pytest.fail(f"PMO_CI=1, but {what}")
    pytest.skip(what)


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


