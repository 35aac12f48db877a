"""One report made again in this process, outside a batch: ``python -m pmo_lib.runner.again <job.json> <folder>``.

The form of a job stays what it is: a library that lies in an archive is asked in it by a later one. ``job.json``::

    {"schema": "pmo-again/1", "root": …, "outputs": …, "staging": …, "report": …, "engine": …,
     "parameters": {"organisation": …, "period": …, "portfolio": …, "snapshot": …, "overrides": {}}}

The files of the run are written to the folder, which is made, and beside them ``facts.json``: what it was made with.
Nothing is published and nothing kept. What is wrong is the last line on the standard error, with exit code 1.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmo_lib.batch.staging import FACTS, RUN
from pmo_lib.errors import PmoError
from pmo_lib.parameters.load import settings_for
from pmo_lib.runner.job import Job
from pmo_lib.runner.make import make

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "pmo-again/1"


def again(document: Mapping[str, Any], *, into: Path) -> None:
    """Make the report of a job's document; leave the files of its run in a folder that is not there yet."""
    parameters = {name: value for name, value in document["parameters"].items() if name != "portfolio" or value}
    root = Path(document["root"])
    settings = settings_for(
        root,
        org=str(parameters["organisation"]),
        portfolio=str(parameters.get("portfolio", "")) or None,
        overrides=parameters["overrides"],
    )
    job = Job(
        root,
        Path(document["outputs"]),
        Path(document["staging"]),
        str(document["report"]),
        parameters,
        document["engine"],
        settings=settings.model_dump(mode="json"),
    )
    make(job)
    (job.staged / RUN).replace(into)
    shutil.copyfile(job.staged / FACTS, into.with_name(FACTS))


def main(words: list[str]) -> None:
    """Do what the command line says."""
    job, into = map(Path, words)
    try:
        again(json.loads(job.read_bytes()), into=into)
    except PmoError as error:
        raise SystemExit(" ".join(str(error).split())) from error


if __name__ == "__main__":
    main(sys.argv[1:])
