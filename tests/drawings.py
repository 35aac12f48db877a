"""What tests read in a drawn figure."""

from __future__ import annotations

from typing import Any


def texts(value: Any) -> list[str]:
    """Return every text in a figure's document."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []
