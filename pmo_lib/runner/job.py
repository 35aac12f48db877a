"""A report to make, as it is handed to its process: light, since the driver that plans and publishes makes none."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.runs import WHOLE
from pmo_lib.batch.staging import PART

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.engine import EngineName

_LATE = (
    "fsspec.implementations.chained", "holidays.countries", "plotly.colors", "pyarrow.acero", "pyarrow.dataset",
    "pyarrow.pandas_compat",
)  # fmt: skip
"""What libraries import only where it is first used: in every report anew, if it is not there already."""


@dataclass(frozen=True)
class Job:
    """One report to make; pickled into its own process.

    Attributes
    ----------
    root, outputs, staging
        Folder of the notebooks and parameters, of what is published, and of what is being made.
    report, parameters, engine
        What to make.
    basis, settings
        What it is made with, for the record: see :meth:`pmo_lib.runner.plan.Plan.basis`, and the settings in force.
    """

    root: Path
    outputs: Path
    staging: Path
    report: str
    parameters: Mapping[str, Any]
    engine: EngineName
    basis: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def portfolio(self) -> str:
        """Portfolio of the report; empty for the organisation's."""
        return str(self.parameters.get("portfolio", ""))

    @property
    def place(self) -> str:
        """Place of the report below the organisation's folder, without suffix."""
        return "/".join(filter(None, (str(self.parameters["period"]), self.portfolio, self.report)))

    @property
    def staged(self) -> Path:
        """Folder that it is staged in."""
        return self.staging / (self.portfolio or WHOLE) / self.report

    @property
    def shared(self) -> Path:
        """Folder of what the reports of its portfolio read alike, for as long as the run lasts."""
        return self.staging / (self.portfolio or WHOLE) / f"shared{PART}"

    @property
    def failed(self) -> Path:
        """Where its executed notebook is left if it fails."""
        return self.staged.with_name(f"{self.report}.ipynb")


def warm_modules() -> tuple[str, ...]:
    """Return what the fork server loads before the first report: engine, page, and all that a notebook may import."""
    package = files("pmo_lib")
    rooms = [
        f"pmo_lib.{room}.{module.name}"
        for room in ("figures", "metrics", "sentences", "tables")
        for module in pkgutil.iter_modules([str(package.joinpath(room))])
    ]
    return (
        "pmo_lib.engine:warm",
        "pmo_lib.render.gate",
        "pmo_lib.render.page:warm",
        "pmo_lib.runner.make:warm",
        *_LATE,
        *rooms,
    )
