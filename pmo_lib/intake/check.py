"""The front door of intake: files in, one :class:`~pmo_lib.intake.checked.Checked` per period out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from pmo_lib.intake.checked import Checked
    from pmo_lib.parameters.mapping import Mapping as SourceMapping
    from pmo_lib.parameters.models import Organisation


def check(
    paths: Sequence[Path],
    *,
    organisation: Organisation,
    mapping: SourceMapping | None = None,
    period: str | None = None,
    previous: Mapping[str, pd.DataFrame] | None = None,
) -> list[Checked]:
    """Check returns."""
    raise NotImplementedError
