"""A schedule file → grids of tasks, links and calendars: Primavera's XER and XML, Microsoft Project's XML and MPP.

XER and both kinds of XML are read here. MPP is Microsoft's own binary form: MPXJ, a Java library, turns it into XML
first, in a process of its own, since a Java machine can be started only once in a process.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pmo_lib.errors import SourceError
from pmo_lib.sources.markup import read_markup
from pmo_lib.sources.mspdi import read_mspdi
from pmo_lib.sources.plan import Plan, grids_of
from pmo_lib.sources.pmxml import read_pmxml
from pmo_lib.sources.xer import read_xer

if TYPE_CHECKING:
    from pmo_lib.sources.grid import Grid

MOST_SECONDS = 300
INSTALL = "python -m pip install 'pmo-lib[schedules]', or save the schedule as XML in Microsoft Project"
JAVA = (
    "install a Java runtime (Debian: apt-get install openjdk-17-jre-headless; elsewhere: Temurin 17 or later) and set "
    "JAVA_HOME, or save the schedule as XML in Microsoft Project"
)
NO_JAVA = 3
# Runs in another process: arguments are the file and the XML file to write.
CONVERT = f"""
import sys
import jpype
import mpxj
try:
    jpype.startJVM(convertStrings=True)
except (jpype.JVMNotFoundException, OSError):
    sys.exit({NO_JAVA})
from org.mpxj.mspdi import MSPDIWriter
from org.mpxj.reader import UniversalProjectReader
project = UniversalProjectReader().read(sys.argv[1])
if project is None:
    sys.exit("it is no schedule that MPXJ knows")
MSPDIWriter().write(project, sys.argv[2])
"""


def read_schedule(path: Path) -> Plan:
    """Return what a schedule file holds, by its ending and, for XML, by its root.

    Raises
    ------
    SourceError
        If it cannot be read, or if what reads MPP is not installed: the message says how to get it.
    """
    suffix = path.suffix.lower()
    if suffix == ".xer":
        return read_xer(path)
    if suffix == ".mpp":
        with TemporaryDirectory() as folder:
            written = Path(folder) / f"{path.stem}.xml"
            _convert(path, to=written)
            return read_mspdi(read_markup(written), file=path.name, stem=path.stem)
    root = read_markup(path)
    if root.name == "APIBusinessObjects":
        return read_pmxml(root, file=path.name)
    if root.name == "Project":
        return read_mspdi(root, file=path.name, stem=path.stem)
    raise SourceError(
        f"{path.name}: its root is {root.name[:40]!r}, which is no schedule that is read",
        fix="export it as XML from Microsoft Project or Primavera P6",
    )


def read_schedule_grids(path: Path) -> list[Grid]:
    """Return the tables ``tasks``, ``links`` and ``calendars`` of a schedule file; see :func:`read_schedule`."""
    return grids_of(read_schedule(path), file=path.name, stem=path.stem)


def _convert(path: Path, *, to: Path) -> None:
    """Turn a file that MPXJ reads into MSPDI."""
    if find_spec("mpxj") is None or find_spec("jpype") is None:
        raise SourceError(f"{path.name}: MPP is read by MPXJ, which is not installed", fix=INSTALL)
    command = [sys.executable, "-c", CONVERT, str(path), str(to)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, check=False)  # noqa: S603 (no shell)
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"{path.name}: not read within {MOST_SECONDS} seconds", fix="save it as XML") from error
    if done.returncode == NO_JAVA:
        raise SourceError(f"{path.name}: MPXJ found no Java runtime", fix=JAVA)
    if done.returncode or not to.is_file():
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SourceError(f"{path.name}: MPXJ cannot read it ({said[:200]})", fix="open it and save it as XML")
