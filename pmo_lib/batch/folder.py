"""The folder of a batch: the plan and frozen inputs that it began with, what is staged, and the summary that ends it.

::

    <batches>/<number>/plan.json      written, with the inputs, before anything runs
                      /inputs/        parameters and notebooks as they were then; gone when the batch has ended
                      /staged/        reports that are done and not yet published; gone as well
                      /log.jsonl      what happened when
                      /summary.json   how it ended; a batch without one was cut off and can be resumed
    <batches>/<number>.part~/         a batch that has no plan yet
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pmo_lib.batch.staging import PART
from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.store import digest_of, sync_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA = "pmo-plan/1"


@dataclass(frozen=True)
class Batch:
    """One batch."""

    folder: Path

    @property
    def number(self) -> str:
        """Its number among those of its organisation and period."""
        return self.folder.name

    @property
    def plan(self) -> dict[str, Any]:
        """What it was to do."""
        return _read(self.folder / "plan.json")

    @property
    def inputs(self) -> Path:
        """Root of the parameters and notebooks that it runs with."""
        return self.folder / "inputs"

    @property
    def staged(self) -> Path:
        """Where its reports are made."""
        return self.folder / "staged"

    @property
    def log(self) -> Path:
        """Its log."""
        return self.folder / "log.jsonl"

    @property
    def summary(self) -> dict[str, Any] | None:
        """How it ended; None if it was cut off."""
        path = self.folder / "summary.json"
        return _read(path) if path.exists() else None

    def check(self) -> None:
        """Compare the frozen inputs with the plan; ParameterError if they are not as they were."""
        for name, digest in self.plan["inputs"].items():
            path = self.inputs / name
            if not path.is_file() or digest_of(path.read_bytes()) != digest:
                raise ParameterError(
                    f"batch {self.number}: its input {name} is not as it was when the batch began",
                    fix="run the period again, without --resume",
                    problems=[],
                )

    def end(self, summary: Mapping[str, Any]) -> None:
        """Write how the batch ended, and remove what only a batch under way needs."""
        content = json.dumps(summary, indent=1, ensure_ascii=False) + "\n"
        write_atomically(self.folder / "summary.json", content=content.encode())
        self.clear()

    def clear(self) -> None:
        """Remove what only a batch under way needs."""
        for folder in (self.staged, self.inputs):
            shutil.rmtree(folder, ignore_errors=True)


def drafted(batches: Path, *, inputs: Mapping[str, Path]) -> Draft:
    """Freeze the inputs of the next batch; what earlier drafts left is removed.

    Parameters
    ----------
    batches
        Folder of the batches of one organisation and period, whose lock is held.
    inputs
        The files to freeze, by their place below the root of the inputs.
    """
    for leftover in batches.glob(f"*{PART}"):
        shutil.rmtree(leftover, ignore_errors=True)
    earlier = _all(batches)
    part = batches / f"{int(earlier[-1].number) + 1 if earlier else 1:04d}{PART}"
    (part / "inputs").mkdir(parents=True)
    digests = {name: _freeze(source, target=part / "inputs" / name) for name, source in sorted(inputs.items())}
    return Draft(part, digests, earlier[-1] if earlier else None)


@dataclass(frozen=True)
class Draft:
    """A batch that has its inputs and no plan yet; what is left of one that never gets a plan says :func:`unbegun`."""

    part: Path
    digests: Mapping[str, str]
    before: Batch | None

    @property
    def inputs(self) -> Path:
        """Root of the frozen inputs, for as long as it is a draft."""
        return self.part / "inputs"

    def begin(self, plan: Mapping[str, Any]) -> Batch:
        """Write the plan (JSON values); the batch is there, by one rename, and what the last one left is removed."""
        (self.part / "staged").mkdir(parents=True)
        document = {"schema": SCHEMA, **plan, "inputs": self.digests}
        content = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write_atomically(self.part / "plan.json", content=content.encode())
        folder = self.part.with_name(self.part.name.removesuffix(PART))
        self.part.replace(folder)
        sync_folder(folder.parent)
        if self.before is not None:
            self.before.clear()
        return Batch(folder)


def unbegun(batches: Path) -> bool:
    """Say whether the batch that was asked for last never had a plan: the one before it is not it."""
    return any(batches.glob(f"*{PART}"))


def latest(batches: Path) -> Batch | None:
    """Return the last batch that began, ended or not."""
    return next(reversed(_all(batches)), None)


def _all(batches: Path) -> list[Batch]:
    found = [path for path in batches.glob("*") if path.name.isdecimal() and path.is_dir()]
    return [Batch(path) for path in sorted(found, key=lambda path: int(path.name))]


def _freeze(source: Path, *, target: Path) -> str:
    content = source.read_bytes()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return digest_of(content)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise StoreError(
            f"batch {path.parent.name}: {path.name} is no longer what was written: {error}",
            fix="run the period again, without --resume",
        ) from error
