"""The folder of a batch: the plan and frozen inputs that it began with, what is staged, and the summary that ends it.

::

    <batches>/<number>/plan.json      written, with the inputs, before anything runs
                      /inputs/        parameters and notebooks as they were then; gone when the batch has ended
                      /staged/        reports that are done and not yet published; gone as well
                      /log.jsonl      what happened when
                      /summary.json   how it ended; a batch without one was cut off and can be resumed
    <batches>/asked.part~             a batch was asked for that has not begun
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pmo_lib.batch.staging import PART
from pmo_lib.errors import ParameterError
from pmo_lib.store import digest_of, sync_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA = "pmo-plan/1"
ASKED = f"asked{PART}"  # a file: there from the moment that a batch is asked for until it has begun


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


def ask(batches: Path) -> None:
    """Note that a batch is asked for: one that is cut off before it has begun is not mistaken for the one before it."""
    (batches / ASKED).touch()


def unbegun(batches: Path) -> bool:
    """Say whether the batch that was asked for last was cut off before it began."""
    return (batches / ASKED).exists()


def begin(batches: Path, *, plan: Mapping[str, Any], inputs: Mapping[str, Path]) -> Batch:
    """Write a plan and freeze its inputs; the batch is there when both are, by one rename.

    Parameters
    ----------
    batches
        Folder of the batches of one organisation and period, whose lock is held.
    plan
        JSON values.
    inputs
        The files to freeze, by their place below the root of the inputs.
    """
    for leftover in batches.glob(f"*{PART}"):
        shutil.rmtree(leftover, ignore_errors=True)
    earlier = _all(batches)
    for batch in earlier[-1:]:
        batch.clear()
    number = f"{int(earlier[-1].number) + 1 if earlier else 1:04d}"
    part = batches / f"{number}{PART}"
    digests = {name: _freeze(source, target=part / "inputs" / name) for name, source in sorted(inputs.items())}
    (part / "staged").mkdir(parents=True)
    document = {"schema": SCHEMA, **plan, "inputs": digests}
    content = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    write_atomically(part / "plan.json", content=content.encode())
    part.replace(batches / number)
    (batches / ASKED).unlink(missing_ok=True)
    sync_folder(batches)
    return Batch(batches / number)


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
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
