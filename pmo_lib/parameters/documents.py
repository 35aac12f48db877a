"""One YAML document → plain values and everything that is wrong with it, each with its line.

YAML 1.2 (``NO`` is a text, ``012`` is twelve); a key that stands twice is a problem, never the last one wins; a date
stays the ISO text that was written; anything that looks like a secret is refused.
"""

from __future__ import annotations

import difflib
import re
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pmo_lib.parameters.models import REFERENCE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

KeyPath = tuple[str | int, ...]

SECRET_KEY = re.compile(
    r"passw(or)?d|passphrase|secret|token|credential|api_?key|private_?key|access_?key", re.IGNORECASE
)
# Shapes that no ordinary parameter has: cloud keys, forge tokens, signed web tokens, key files, address passwords.
SECRET_SHAPE = re.compile(
    r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}"
    r"|\bsk-[A-Za-z0-9_-]{20,}|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.|-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]+:[^/\s@]+@"
)
# One of these stands in every text of such a shape: looked for first, in long texts.
SECRET_SIGNS = ("AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "sk-", "eyJ",
                "PRIVATE KEY", "://")  # fmt: skip
REFERENCE_FIX = "keep it in the environment and write a reference to it: env:NAME"
REFERENCE = re.compile(REFERENCE_PATTERN)


class Problem(TypedDict):
    """One thing that is wrong with a parameter file; ``key`` is the dotted path, ``line`` 0 where there is none."""

    file: str
    line: int
    key: str
    value: str
    message: str
    fix: str


@dataclass
class Document:
    """Plain values of one file, the line of each key path, and the problems found so far."""

    file: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def complain(self, path: KeyPath, *, value: object = "", message: str, fix: str) -> None:
        """Add a problem at a key path; its line is that of the nearest key above that stands in the file."""
        line = next((self.lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self.lines), 0)
        shown = "" if value in ("", None) else str(value)[:80]
        key = ".".join(str(part) for part in path)
        self.problems.append(Problem(file=self.file, line=line, key=key, value=shown, message=message, fix=fix))


class _PlainConstructor(SafeConstructor):
    """Safe, and a date stays the text that was written."""


_PlainConstructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _PlainConstructor
    yaml.allow_duplicate_keys = True  # reported by ourselves, all of them and with their lines
    return yaml


def secret_like(key: str, *, value: object) -> bool:
    """Tell whether a value looks like a secret: by the name of its key, or by its own shape.

    A reference to the environment (``env:NAME``) is not one.

    >>> secret_like("api_token", value="abc"), secret_like("api_token", value="env:API_TOKEN")
    (True, False)
    """
    if not isinstance(value, str) or not value or REFERENCE.match(value):
        return False
    return bool(SECRET_KEY.search(key)) or has_secret_shape(value)


def has_secret_shape(text: str) -> bool:
    """Say whether a text of any length holds what has the shape of a secret."""
    return any(sign in text for sign in SECRET_SIGNS) and bool(SECRET_SHAPE.search(text))


def parse_scalar(text: str) -> Any:
    """Return the value that a text from the command line would have in a file: ``"0.15"`` is a number, ``"NO"`` a text.

    A text that is no YAML value stays the text.
    """
    try:
        return _yaml().load(text)
    except YAMLError:
        return text


def suggestion(word: str, *, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest known word, else the list of known words."""
    names = sorted(known)
    near = difflib.get_close_matches(word.lower(), [name.lower() for name in names], n=1, cutoff=0.6)
    if near:
        return f"did you mean {next(name for name in names if name.lower() == near[0])!r}?"
    return f"use one of: {', '.join(names)}" if names else "remove it"


class _Place(NamedTuple):
    """One key or value of a document: its path and line, its text if it is a scalar, and whether it stood before."""

    path: KeyPath
    line: int
    text: str | None
    again: bool = False


def _place(node: Node, *, path: KeyPath, again: bool = False) -> _Place:
    return _Place(path, node.start_mark.line + 1, str(node.value) if isinstance(node, ScalarNode) else None, again)


def _visit(node: Node, *, path: KeyPath = (), above: tuple[int, ...] = ()) -> Iterator[_Place]:
    """Yield every key path of a document."""
    if id(node) in above:
        return
    above = (*above, id(node))
    if isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            yield _place(key, path=(*path, name), again=name in seen)
            seen.add(name)
            if isinstance(value, ScalarNode):
                yield _place(value, path=(*path, name))
            else:
                yield from _visit(value, path=(*path, name), above=above)
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            yield _place(value, path=(*path, index))
            yield from _visit(value, path=(*path, index), above=above)


def _inspect(document: Document, *, places: Iterable[_Place]) -> None:
    """Note the line of every key; complain of keys that stand twice and of secrets."""
    for path, here, text, again in places:
        first = document.lines.setdefault(path, here)
        if again:
            document.complain(
                path, message=f"the key stands twice, in lines {first} and {here}", fix="keep one of the two"
            )
        name = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
        if text != name and secret_like(name, value=text):
            document.complain(path, message="looks like a secret", fix=REFERENCE_FIX)


@cache
def _parsed(text: str) -> tuple[tuple[_Place, ...], Any]:
    """Parse a text once in a process and in all that are forked from it: YAML costs more than a small report."""
    yaml = _yaml()
    root = yaml.compose(text)
    if root is None:
        return (), None
    places = tuple(_visit(root))  # first: to construct values lays merged keys into the nodes
    return places, yaml.constructor.construct_document(root)


def read_document(path: Path, *, file: str = "") -> Document:
    """Read one YAML file; whatever is wrong with it stands in ``problems``, nothing is raised.

    Parameters
    ----------
    path
        The file.
    file
        Its name in messages; the path unless given.
    """
    document = Document(file or path.as_posix())
    try:
        text = path.read_text(encoding="utf-8-sig")
        places, values = _parsed(text)
    except OSError as error:
        document.complain((), message=f"cannot be read ({error.strerror})", fix="create it, or correct the name")
    except UnicodeDecodeError as error:
        document.complain((), message=f"is not UTF-8 (byte {error.start})", fix="save it as UTF-8")
    except MarkedYAMLError as error:
        mark = error.problem_mark
        document.lines[()] = mark.line + 1 if mark else 0
        document.complain((), message=f"is not YAML: {error.problem}", fix="correct that line or the one before it")
    except YAMLError as error:
        document.complain((), message=f"is not YAML: {error}", fix="correct the file")
    else:
        _inspect(document, places=places)
        if isinstance(values, dict | None):
            document.values = {str(key): deepcopy(value) for key, value in (values or {}).items()}
        else:
            document.complain((), value=values, message="is not a list of keys", fix="write 'key: value' lines")
    return document


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {model for part in get_args(annotation) for model in _models_in(part)}


def _known_keys(model: type[BaseModel], *, path: KeyPath) -> set[str]:
    """Return the keys that may stand beside the last part of a path."""
    models = {model}
    for part in path[:-1]:
        fields = [
            info for candidate in models for name, info in candidate.model_fields.items() if part in (name, info.alias)
        ]
        below = {nested for info in fields for nested in _models_in(info.annotation)}
        models = below or models
    return {info.alias or name for candidate in models for name, info in candidate.model_fields.items()}


_PHRASES = {
    "missing": ("is missing", "add it"),
    "extra_forbidden": ("unknown key", ""),
    "string_type": ("is not a text", "put it in quotes"),
    "recursion_loop": ("refers to itself", "write it out"),
}


def explain(document: Document, *, model: type[BaseModel], error: ValidationError) -> None:
    """Add every problem that a model found in a document, with its line and what to do."""
    for fault in error.errors(include_url=False):
        path = tuple(fault["loc"])
        message, fix = _PHRASES.get(fault["type"], (fault["msg"].removeprefix("Value error, "), "correct the value"))
        if fault["type"] == "extra_forbidden":
            fix = suggestion(str(path[-1]), known=_known_keys(model, path=path))
        if fault["type"] == "value_error" and ":" in message:
            message, _, fix = (part.strip() for part in message.partition(":"))
        given = fault["input"]
        if fault.get("ctx", {}).get("pattern") == REFERENCE_PATTERN:  # perhaps the secret itself: it is not repeated
            given, message, fix = "", "is no reference to the environment", REFERENCE_FIX
        document.complain(path, value=given if isinstance(given, str | int | float) else "", message=message, fix=fix)
