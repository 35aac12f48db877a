"""Executing a notebook: the papermill engine that runs it inside a warm process, and the stock kernel beside it.

The engine ``pmo`` (:class:`WarmEngine`, found by papermill through its entry point) executes the cells **in the current
process** with the very shell that a Jupyter kernel uses, and hands the messages that the shell would have sent to a
client straight to nbclient, which makes outputs of them as it always does. Started in a child of
:mod:`pmo_lib.workers`, where everything is imported already, a report costs a tenth of a second instead of several.
The notebook that comes out is the same as the stock kernel's: rich display, display ids and their updates, cleared
outputs, stream text, last expressions, top-level ``await``, errors with their tracebacks, execution counts.

What differs by nature, and what becomes of it:

============================================ =========================================================================
in a cell                                    in this engine
============================================ =========================================================================
C code or a subprocess writes to descriptor  becomes stream output at the end of the cell (a kernel puts it between the
1 or 2                                       others as it comes); the gate refuses a page with any stream output
``input()``, ``getpass()``                   StdinNotImplementedError, as in a kernel without a front end
``exit()``, ``quit()``, ``sys.exit(0)``      an error (papermill takes ``SystemExit: 0`` for success; we do not)
``os._exit(0)``, a segmentation fault        ends the process: the supervisor reports it, nothing is published
signals, interrupts, kernel restarts         reach the process, not the cell; time limits are the supervisor's
a thread or task that outlives its cell      its output goes to the cell that is running when it writes
widgets (comms)                              no front end, no comm: the gate refuses an output that a page cannot show
``sys.modules``                              what is warm is imported already: code that only runs on import ran before
============================================ =========================================================================
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import difflib
import json
import keyword
import logging
import os
import re
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import nbformat
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from traitlets.config import Config

from pmo_lib.errors import CellFailed, ParameterError, ReportError
from pmo_lib.kernel import shell
from pmo_lib.workers import ENVIRONMENT, die_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


EngineName = Literal["pmo", "kernel"]
"""``pmo`` is the warm one; ``kernel`` starts a stock Jupyter kernel for each notebook."""

INJECTED_ID = "injected-parameters"
_MARKER = "papermill-error-cell-tag"  # two cells that papermill adds to a failed notebook, with random ids
_PINNED = ("IPYKERNEL_CELL_NAME", "PLOTLY_RENDERER")
_CLIENT_OPTIONS = {"record_timing": False, "coalesce_streams": True}
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_KINDS: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}


def execute(
    notebook_path: Path | str,
    *,
    parameters: Mapping[str, Any],
    output_path: Path | str | None = None,
    failed_path: Path | str | None = None,
    engine: EngineName = "pmo",
) -> NotebookNode:
    """Execute a notebook with parameters and return it with its outputs, in canonical form.

    Canonical means that equal inputs give equal bytes: no timings, no paths of this machine, no version of Python, ids
    that are not drawn at random.

    Parameters
    ----------
    notebook_path
        The notebook; it is not changed. Exactly one cell has the tag ``parameters`` and assigns literals.
    parameters
        Values for names of that cell: text, numbers, flags, null, lists and mappings of these. They pass as Python
        objects; nothing is guessed from text.
    output_path
        Where to write the executed notebook, also a failed one; None writes nothing. The place of the write is
        the caller's: what must appear whole belongs in a staging folder.
    failed_path
        Where to write it only if it failed: writing a notebook out takes longer than rendering its page.
    engine
        ``"pmo"`` runs the cells in this process and leaves its modules changed: call it in a process of its own.

    Raises
    ------
    ParameterError
        Before anything runs; ``data["problems"]`` has every problem of notebook and parameters.
    CellFailed
        A cell raised, or asked to exit: ``data`` has ``cell`` (index in the notebook), ``source``, ``ename``,
        ``evalue``, ``traceback`` (text without colours) and ``stage``.
    ReportError
        The kernel died, or cells were left out without an error.
    """
    notebook = _read(Path(notebook_path))
    chosen = _checked(notebook, parameters=parameters, where=Path(notebook_path).name)
    executed, trouble = _run(notebook, parameters=chosen, engine=engine)
    executed = canonical(executed)
    _write(executed, path=output_path)
    try:
        _raise_for_failures(executed, trouble=trouble)
    except (CellFailed, ReportError):
        _write(executed, path=failed_path)
        raise
    return executed


def warm() -> None:
    """Import and set up what every execution needs; for the fork server, before it forks.

    A small notebook is run, since much is imported at the first cell only. No thread, event loop, shell or ZeroMQ
    context stays behind.
    """
    cell = {"cell_type": "code", "source": "a = 1", "metadata": {"tags": ["parameters"]}, "outputs": [], "id": "a"}
    notebook = _parsed(
        {"cells": [{**cell, "execution_count": None}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    )
    _run(notebook, parameters={"a": 2}, engine="pmo")
    loop = ensure_event_loop()
    loop.run_until_complete(asyncio.sleep(0))  # what was cancelled ends
    loop.close()  # its descriptors would be shared by all children; each makes its own


def canonical(notebook: NotebookNode) -> NotebookNode:
    """Remove from an executed notebook, in place, what two runs or two engines would write differently."""
    notebook.cells = [cell for cell in notebook.cells if _MARKER not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = INJECTED_ID
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
    parameters = notebook.metadata.get("papermill", {}).get("parameters", {})
    notebook.metadata["papermill"] = {"parameters": parameters}
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    return notebook


class WarmEngine:
    """The papermill engine ``pmo``.

    Papermill loads its engines while it is being imported itself: hence the late imports, and no base class of its.
    """

    @classmethod
    def execute_notebook(cls, nb: NotebookNode, kernel_name: str, **options: Any) -> NotebookNode:
        """Execute a prepared notebook in this process; the book-keeping and the files stay papermill's."""
        from papermill.engines import Engine  # noqa: PLC0415

        engine = type("Managed", (Engine,), {"execute_managed_notebook": staticmethod(_execute_managed)})
        return cls._held(engine, nb=nb, kernel_name=kernel_name, options=options)

    @classmethod
    def _held(cls, engine: Any, *, nb: NotebookNode, kernel_name: str, options: dict[str, Any]) -> NotebookNode:
        """Execute, and let the caller have the notebook even if papermill raises."""
        options.pop("held", []).append(nb)
        executed: NotebookNode = engine.execute_notebook(nb, kernel_name, **options)
        return executed

    @classmethod
    def nb_kernel_name(cls, nb: NotebookNode, name: str | None = None) -> str:
        """Return the name of the kernel that the notebook asks for; papermill needs it to write parameters."""
        return name or str(nb.metadata.get("kernelspec", {}).get("name", "python3"))

    @classmethod
    def nb_language(cls, nb: NotebookNode, language: str | None = None) -> str:
        """Return the language of the notebook, which is Python."""
        return language or "python"


class StockEngine(WarmEngine):
    """Papermill's own engine: a Jupyter kernel of its own for each notebook."""

    @classmethod
    def execute_notebook(cls, nb: NotebookNode, kernel_name: str, **options: Any) -> NotebookNode:
        """Execute a prepared notebook in a new kernel."""
        from papermill.engines import NBClientEngine  # noqa: PLC0415

        with tempfile.TemporaryDirectory(prefix="pmo-") as scratch:
            config = Config({"ConnectionFileMixin": {"transport": "ipc", "connection_file": f"{scratch}/kernel.json"}})
            options |= {"kernel_manager_class": StockManager, "config": config, "shutdown_kernel": "immediate"}
            options |= {"on_cell_executed": _refuse_exit, **_CLIENT_OPTIONS}
            return cls._held(NBClientEngine, nb=nb, kernel_name=kernel_name, options=options)


def _refuse_exit(*, cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:
    """Raise if a cell asked a stock kernel to exit: it would go on for a moment, and nobody would know."""
    if any(payload.get("source") == "ask_exit" for payload in execute_reply["content"].get("payload", [])):
        error = SimpleNamespace(ename="SystemExit", evalue="exit() and quit() are errors", traceback=[])
        raise _cell_failed(cell_index, cell=cell, error=error)


class StockManager(AsyncKernelManager):
    """Starts a stock kernel that keeps no history, reads no user's settings and dies with us."""

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
        environment = {**options.pop("env", os.environ), "IPYTHONDIR": str(Path(self.connection_file).parent)}
        await super()._async_launch_kernel(kernel_cmd, env=environment, preexec_fn=die_with_parent, **options)


def _execute_managed(manager: Any, kernel_name: str, **_: Any) -> None:
    """Run all cells in this process, telling papermill's execution manager as its own engine would."""
    with shell() as kernel:
        client: Any = NotebookClient(manager.nb, None, **_CLIENT_OPTIONS)
        client.kc = kernel
        client.reset_execution_trackers()
        for index, cell in enumerate(manager.nb.cells):
            try:
                manager.cell_start(cell, index)
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                manager.cell_exception(manager.nb.cells[index], cell_index=index, exception=error)
                break
            finally:
                manager.cell_complete(manager.nb.cells[index], cell_index=index)


def _run(
    notebook: NotebookNode, *, parameters: Mapping[str, Any], engine: str
) -> tuple[NotebookNode, Exception | None]:
    """Let papermill run a notebook; return what became of it, whole or not, and what stopped it."""
    from papermill.engines import papermill_engines  # noqa: PLC0415
    from papermill.execute import execute_notebook  # noqa: PLC0415

    held: list[NotebookNode] = []
    trouble: Exception | None = None
    logging.getLogger("papermill").setLevel(logging.ERROR)  # it guesses at parameters, which were checked before
    papermill_engines.register("pmo", WarmEngine)  # a source tree that is not installed has no entry points
    papermill_engines.register("kernel", StockEngine)
    try:
        with _pinned_environment():
            # Prepared only: papermill would write out the executed notebook once more, even if to nowhere.
            prepared = execute_notebook(
                notebook, None, dict(parameters), engine_name=engine, kernel_name="python3", language="python",
                prepare_only=True,
            )  # fmt: skip
            papermill_engines.execute_notebook_with_engine(
                engine, prepared, kernel_name="python3", progress_bar=False, autosave_cell_every=0, held=held
            )
    except (CellTimeoutError, DeadKernelError, CellFailed) as caught:
        trouble = caught
    return held[0], trouble


@contextlib.contextmanager
def _pinned_environment() -> Iterator[None]:
    """Set what shows in a notebook's outputs, and put the whole environment back: a shell changes it."""
    before = dict(os.environ)
    os.environ.update({name: ENVIRONMENT[name] for name in _PINNED})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _raise_for_failures(notebook: NotebookNode, *, trouble: Exception | None) -> None:
    """Raise if a notebook was not executed from its first cell to its last."""
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                raise _cell_failed(index, cell=cell, error=output)
    if isinstance(trouble, CellFailed):
        raise trouble
    left_out = [
        i for i, c in enumerate(notebook.cells) if c.cell_type == "code" and c.source.strip() and not c.execution_count
    ]
    if trouble is not None or left_out:
        # Whether a dying kernel still acknowledged its cell differs from run to run: no cell is named then.
        early = f"The notebook ended early: cell {left_out[0]} did not run" if left_out else ""
        what = f"{type(trouble).__name__}: {trouble}" if trouble else early
        raise ReportError(what, fix="look for a call that ends the kernel", stage="notebook")


def _cell_failed(index: int, *, cell: NotebookNode, error: Any) -> CellFailed:
    traceback = _ANSI.sub("", "\n".join(error.traceback))
    what = f"Cell {index} ({cell.id}): {error.ename}: {error.evalue}"
    fix = "let the notebook run to its end, without exit() or sys.exit()" if error.ename == "SystemExit" else ""
    return CellFailed(
        what, fix=fix, stage="notebook", cell=index, source=cell.source, ename=error.ename, evalue=error.evalue,
        traceback=traceback,
    )  # fmt: skip


def _write(notebook: NotebookNode, *, path: Path | str | None) -> None:
    if path is not None:
        Path(path).write_text(str(nbformat.writes(notebook)) + "\n", encoding="utf-8")  # type: ignore[no-untyped-call]


# --- the contract of parameters -------------------------------------------------------------------------------------


def _read(path: Path) -> NotebookNode:
    try:
        return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, nbformat.ValidationError) as error:
        what = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise ParameterError(f"{path.name}: this notebook cannot be read: {what}", fix="check the path") from error


def _parsed(document: dict[str, Any]) -> NotebookNode:
    """Make a notebook; cells without an id (nbformat before 4.5) are numbered, so that none is drawn at random."""
    for number, cell in enumerate(document["cells"]):
        cell.setdefault("id", f"cell-{number}")
    document["nbformat_minor"] = max(5, document["nbformat_minor"])
    notebook: NotebookNode = nbformat.reads(json.dumps(document), as_version=4)  # type: ignore[no-untyped-call]
    return notebook


def _checked(notebook: NotebookNode, *, parameters: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the parameters in the order of the notebook's own, or raise with everything that is wrong."""
    declared, problems = _declared(notebook)
    for name, value in parameters.items():
        problems += _problems_of(name, value=value, declared=declared)
    if problems:
        raise ParameterError(
            f"{where}: {'; '.join(problems)}", fix="use the names and types of its parameters cell", problems=problems
        )
    return {name: parameters[name] for name in declared if name in parameters}


def _declared(notebook: NotebookNode) -> tuple[dict[str, ast.expr | type | None], list[str]]:
    """Read names and types from the parameters cell: an annotation, else the type of the default, else None."""
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1 or cells[0].cell_type != "code":
        return {}, [f"{len(cells)} code cells are tagged 'parameters'; there must be exactly one"]
    declared: dict[str, ast.expr | type | None] = {}
    try:
        for statement in ast.parse(cells[0].source).body:
            name, annotation, default = _assignment(statement)
            declared[name] = annotation or (None if default is None else type(default))
    except (SyntaxError, ValueError) as error:
        return declared, [f"the parameters cell must hold assignments of literals only: {error}"]
    return declared, []


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr | None, Any]:
    """Return name, annotation and default of ``name: type = literal``; ValueError for anything else."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
        return statement.target.id, statement.annotation, ast.literal_eval(statement.value)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, None, ast.literal_eval(statement.value)
    raise ValueError(f"line {statement.lineno} is no assignment")


def _problems_of(name: str, *, value: Any, declared: Mapping[str, ast.expr | type | None]) -> list[str]:
    if not name.isidentifier() or keyword.iskeyword(name):
        return [f"{name!r} is no name for a parameter"]
    if name not in declared:
        near = difflib.get_close_matches(name, declared, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else f" (there are {', '.join(declared) or 'none'})"
        return [f"unknown parameter {name!r}{hint}"]
    if not _is_plain(value):
        return [f"{name} = {value!r}: {type(value).__name__} is not text, number, flag, null, list or mapping"]
    wanted = declared[name]
    try:
        fits = (
            _fits(value, annotation=wanted)
            if isinstance(wanted, ast.expr)
            else wanted is None or _is_a(value, kind=wanted)
        )
    except ValueError as error:
        return [f"{name}: {error}"]
    kind = ast.unparse(wanted).strip("'\"") if isinstance(wanted, ast.expr) else getattr(wanted, "__name__", "")
    return [] if fits else [f"{name} = {value!r} is {type(value).__name__}, not {kind}"]


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    return all(map(_is_plain, value)) if isinstance(value, list) else isinstance(value, str | int | float | None)


def _is_a(value: Any, *, kind: type) -> bool:
    """Tell types apart as people do: a flag is no number, a whole number is a number."""
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is kind


def _fits(value: Any, *, annotation: ast.expr) -> bool:
    """Check a value against an annotation such as ``str``, ``str | None``, ``list[str]`` or ``dict[str, str]``."""
    match annotation:
        case ast.Constant(value=None):
            return value is None
        case ast.Constant(value=str(quoted)):
            return _fits(value, annotation=ast.parse(quoted, mode="eval").body)
        case ast.Name(id=name) if name in _KINDS:
            return _is_a(value, kind=_KINDS[name])
        case ast.Name(id="Any" | "object"):
            return True
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _fits(value, annotation=left) or _fits(value, annotation=right)
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return type(value) is list and all(_fits(one, annotation=item) for one in value)
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[_, item])):
            return type(value) is dict and all(_fits(one, annotation=item) for one in value.values())
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            return value in ast.literal_eval(ast.Tuple(elts=getattr(choices, "elts", [choices]), ctx=ast.Load()))
    raise ValueError(f"the annotation {ast.unparse(annotation)} is not understood")
