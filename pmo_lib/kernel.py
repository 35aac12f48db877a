"""A Jupyter kernel without a kernel: IPython's shell in this process, wired straight to nbclient.

The shell is the very class that a stock kernel uses. What it would send over a socket goes through a session that only
codes and decodes it, into the channels that nbclient reads, so that nbclient makes outputs of it as it always does.
The module docstring of :mod:`pmo_lib.engine` says what differs by nature.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import getpass
import io
import os
import sys
import tempfile
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn

from ipykernel.compiler import XCachingCompiler
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.profiledir import ProfileDir
from jupyter_client.session import Session
from traitlets import Any as AnyTrait
from traitlets.config import Config

from pmo_lib.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@contextlib.contextmanager
def shell() -> Iterator[Kernel]:
    """Make this process a kernel, and what it was before when done."""
    if InteractiveShell.initialized():
        raise ReportError(
            "This process is a Jupyter kernel already",
            fix='use the engine "kernel", or run reports with pmo_lib.runner, which starts processes of their own',
            stage="notebook",
        )
    with _captured_descriptors() as descriptors, contextlib.ExitStack() as undo:
        kernel = Kernel(descriptors)
        undo.callback(_put_back({sys: ("stdin", "stdout", "stderr", "displayhook", "excepthook")}))
        undo.callback(_put_back({builtins: ("input",), getpass: ("getpass",)}))
        sys.stdout, sys.stderr = (Stream(name, send=kernel.send_stream) for name in ("stdout", "stderr"))
        builtins.input = _refusal("raw_input")
        getpass.getpass = _refusal("getpass")
        undo.callback(ZMQInteractiveShell.clear_instance)
        undo.callback(_connected(kernel).restore_sys_module_state)
        yield kernel


class Wire(Session):
    """A session that has no socket: what a shell sends is handed over, coded and decoded as it would have been."""

    deliver = AnyTrait(help="Function that takes a message.")

    def send(  # type: ignore[override]  # sockets, buffers and identities are of no use here
        self, stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, **_: Any
    ) -> dict[str, Any]:
        """Build a message and hand it over."""
        message = msg_or_type if isinstance(msg_or_type, dict) else self.msg(msg_or_type, content, parent)
        self.deliver({**message, "content": self.unpack(self.pack(message["content"]))})
        return message


class Stream(io.TextIOBase):
    """Standard output or error of a cell: text is kept until somebody flushes, as a kernel does."""

    encoding = "UTF-8"

    def __init__(self, name: str, *, send: Callable[..., None]) -> None:
        self.name, self._send, self._parts = name, send, list[str]()

    def write(self, text: str) -> int:
        """Keep text."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Send what was kept."""
        text, self._parts = "".join(self._parts), []
        if text:
            self._send(self.name, text=text)

    def writable(self) -> bool:
        """Say that one may write."""
        return True


class Channel:
    """One direction of the wire, as nbclient reads it."""

    def __init__(self) -> None:
        self.messages: deque[dict[str, Any]] = deque()

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """Return the next message; a cell has run to its end before anyone asks, so nobody ever waits."""
        return self.messages.popleft()


class Kernel:
    """What nbclient takes for the client of a kernel: it runs a cell when it is asked to, in this process."""

    def __init__(self, descriptors: Mapping[str, Any]) -> None:
        self.iopub_channel, self.shell_channel = Channel(), Channel()
        self.wire = Wire(deliver=self.iopub_channel.messages.append)
        self.parent: dict[str, Any] = {}
        self._descriptors, self._read = descriptors, dict.fromkeys(descriptors, 0)

    async def execute(self, code: str, *, store_history: bool = True, stop_on_error: bool = True) -> str:
        """Run one cell; its messages, and then the reply, are in the channels when this returns."""
        shell: Any = InteractiveShell.instance()
        self.parent = self.wire.msg("execute_request", {"code": code})
        shell.set_parent(self.parent)
        self._send("execute_input", code=code, execution_count=shell.execution_count)
        reply = await _run_cell(shell, code=code)
        sys.stdout.flush()
        sys.stderr.flush()
        self._send_descriptors()
        self._send("status", execution_state="idle")
        self.shell_channel.messages.append({"parent_header": self.parent["header"], "content": reply})
        return str(self.parent["header"]["msg_id"])

    async def is_alive(self) -> bool:
        """Say that the kernel lives, as this process does."""
        return True

    def send_stream(self, name: str, *, text: str) -> None:
        """Send text of standard output or error."""
        self._send("stream", name=name, text=text)

    def _send(self, kind: str, **content: Any) -> None:
        self.wire.send(None, kind, content, self.parent)

    def _send_descriptors(self) -> None:
        """Send what C code and subprocesses wrote to descriptors 1 and 2 since the last cell."""
        for name, file in self._descriptors.items():
            written = os.pread(file.fileno(), os.fstat(file.fileno()).st_size - self._read[name], self._read[name])
            self._read[name] += len(written)
            if written:
                self.send_stream(name, text=written.decode(errors="replace"))


async def _run_cell(shell: Any, *, code: str) -> dict[str, Any]:
    """Run a cell and return the content of its reply; the same steps as ``IPythonKernel.do_execute``."""
    failure = None
    try:
        transformed = shell.transform_cell(code)
    except Exception:  # noqa: BLE001 - an input transformer may raise anything, and the shell shows it
        transformed, failure = code, sys.exc_info()
    how = {"transformed_cell": transformed, "preprocessing_exc_tuple": failure}
    if shell.should_run_async(code, **how):
        result = None
        try:
            result = await shell.run_cell_async(code, store_history=True, **how)
        finally:
            shell.events.trigger("post_execute")
            shell.events.trigger("post_run_cell", result)
    else:
        result = shell.run_cell(code, store_history=True)
    error = result.error_before_exec or result.error_in_exec
    if error is None and not shell._last_traceback_during_displayhook:
        return {"status": "ok"}
    named = {"ename": type(error).__name__, "evalue": str(error)}
    return {"status": "error", "traceback": shell._last_traceback or [], **named}


def _connected(kernel: Kernel) -> Any:
    """Return the one shell of this process, without history and settings, sending to a stand-in kernel."""
    config = Config({"HistoryManager": {"enabled": False, "hist_file": ":memory:"}})
    shell: Any = ZMQInteractiveShell.instance(
        config=config, ipython_dir="", profile_dir=ProfileDir(), compiler_class=XCachingCompiler
    )
    atexit.unregister(shell.atexit_operations)
    shell.displayhook.session = shell.display_pub.session = kernel.wire
    shell.kernel = kernel  # scrapbook and others ask whether there is one
    shell.ask_exit = _exit_is_an_error
    return shell


def _exit_is_an_error() -> NoReturn:
    raise SystemExit("a report may not be left: exit() and quit() are errors")


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise StdinNotImplementedError(f"{name} was called, but this frontend does not support input requests.")

    return refuse


def _put_back(names: Mapping[Any, tuple[str, ...]]) -> Callable[[], None]:
    """Remember attributes, and return a function that restores them."""
    before = [(holder, name, getattr(holder, name)) for holder, attributes in names.items() for name in attributes]

    def restore() -> None:
        for holder, name, value in before:
            setattr(holder, name, value)

    return restore


@contextlib.contextmanager
def _captured_descriptors() -> Iterator[dict[str, Any]]:
    """Send descriptors 1 and 2 to files for a while; yields the files by stream name."""
    with contextlib.ExitStack() as undo:
        files = {}
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            getattr(sys, f"__{name}__").flush()
            files[name] = undo.enter_context(tempfile.TemporaryFile())
            saved = os.dup(descriptor)
            undo.callback(os.close, saved)
            undo.callback(os.dup2, saved, descriptor)
            os.dup2(files[name].fileno(), descriptor)
        yield files
