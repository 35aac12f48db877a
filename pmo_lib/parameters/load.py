"""YAML files → frozen models: organisation < portfolio < command line; all problems at once.

Layout below the root::

    parameters/reports.yml                     the reports in reading order
    parameters/schemas/*.json                  JSON Schemas for editors, made by :func:`schemas`
    parameters/<org>/organisation.yml          one organisation
    parameters/<org>/portfolios/<id>.yml       only what differs for that portfolio
    parameters/<org>/sources/<name>.yml        one mapping of a foreign layout
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from pmo_lib.errors import ParameterError
from pmo_lib.parameters.documents import (
    REFERENCE_FIX,
    Document,
    Problem,
    explain,
    parse_scalar,
    read_document,
    secret_like,
    suggestion,
)
from pmo_lib.parameters.mapping import Mapping as SourceMapping
from pmo_lib.parameters.models import ID_PATTERN, Organisation, Portfolio, Reports, Section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

M = TypeVar("M", bound=BaseModel)
COMMAND_LINE = "command line"
DIFFERING = ("thresholds", "risk", "reference")  # what a portfolio's file may lay over the organisation's
SCHEMAS: dict[str, type[BaseModel]] = {
    "organisation": Organisation,
    "portfolio": Portfolio,
    "mapping": SourceMapping,
    "reports": Reports,
}


def find_root() -> Path:
    """Return the project's root: ``PMO_ROOT``, or the nearest folder upwards that holds ``parameters/reports.yml``.

    Raises
    ------
    ParameterError
        If there is none.
    """
    named = os.environ.get("PMO_ROOT")
    here = Path(named).resolve() if named else Path.cwd()
    for folder in (here,) if named else (here, *here.parents):
        if (folder / "parameters" / "reports.yml").is_file():
            return folder
    where = f"PMO_ROOT={named}" if named else str(here)
    raise ParameterError(
        f"{where}: no folder with parameters/reports.yml here or above",
        fix="run the command inside the project, or set PMO_ROOT to it",
        problems=[],
    )


def read_yaml(path: Path, *, model: type[M]) -> M:
    """Read one file into a model.

    Raises
    ------
    ParameterError
        With all that is wrong with the file in ``data["problems"]``.
    """
    document = read_document(path)
    return _settled(_modelled(document, model=model), documents=[document])


def load_organisation(root: Path, *, org: str) -> Organisation:
    """Return the parameters of one organisation.

    Raises
    ------
    ParameterError
        If it does not exist, or with all its problems.
    """
    document = _organisation_document(root, org=org)
    return _settled(_modelled(document, model=Organisation), documents=[document])


def load_portfolios(root: Path, *, org: str) -> dict[str, Portfolio]:
    """Return what differs for each portfolio that has a file, by id, sorted.

    Raises
    ------
    ParameterError
        With the problems of all files at once, also those that only show against the organisation's values.
    """
    base = _organisation_document(root, org=org)
    documents = [_portfolio_document(path, root=root, base=base) for path in _portfolio_files(root, org=org)]
    portfolios = [_modelled(document, model=Portfolio) for document in documents]
    _raise_problems([base, *documents])
    return {portfolio.id: portfolio for portfolio in portfolios if portfolio is not None}


def load_sections(root: Path, *, org: str, portfolio: str, report: str) -> tuple[Section, ...]:
    """Return the sections that a portfolio adds to a report, in the order of its file.

    Raises
    ------
    ParameterError
        With the problems of the portfolio's file.
    """
    path = _portfolio_file(root, org=org, portfolio=portfolio)
    if path is None:
        return ()
    document = _read(path, root=root)
    own = _settled(_modelled(document, model=Portfolio), documents=[document])
    return tuple(section for section in own.sections if section.report == report)


def settings_for(
    root: Path, *, org: str, portfolio: str | None = None, overrides: Mapping[str, str] | None = None
) -> Organisation:
    """Return the organisation's parameters as they hold for one portfolio: organisation < portfolio < command line.

    Parameters
    ----------
    root
        The project's root.
    org
        Organisation.
    portfolio
        Its portfolio; one without a file of its own has the organisation's values.
    overrides
        Dotted key → value as typed, such as ``{"thresholds.cost_red": "0.15"}``.

    Raises
    ------
    ParameterError
        With the problems of all layers at once.
    """
    base = _organisation_document(root, org=org)
    path = None if portfolio is None else _portfolio_file(root, org=org, portfolio=portfolio)
    documents = [base, *([] if path is None else [_portfolio_document(path, root=root, base=base)])]
    if portfolio is not None and not re.match(ID_PATTERN, portfolio):
        base.complain(("portfolio",), value=portfolio, message="is no id", fix="use letters, digits and . _ -")
    _modelled(base, model=Organisation)
    top = _typed(overrides or {})
    settled = not any(document.problems for document in (*documents, top))
    below = _merged(base.values, above={} if path is None else _differences(documents[-1]))
    settings = _modelled(top, model=Organisation, values=_merged(below, above=top.values)) if settled else None
    return _settled(settings, documents=[*documents, top])


def load_reports(root: Path) -> Reports:
    """Return the reports in reading order.

    Raises
    ------
    ParameterError
        With all problems of ``parameters/reports.yml``.
    """
    document = _read(root / "parameters" / "reports.yml", root=root)
    return _settled(_modelled(document, model=Reports), documents=[document])


def load_mapping(root: Path, *, org: str, name: str) -> SourceMapping:
    """Return one mapping of an organisation.

    Raises
    ------
    ParameterError
        If there is none of that name (the message lists those that exist), or with all its problems.
    """
    folder = _folder(root, org=org) / "sources"
    path = folder / f"{name}.yml"
    known = sorted(found.stem for found in folder.glob("*.yml"))
    if name not in known:
        raise _error([_nothing(f"parameters/{org}/sources", name=name, what="mapping", known=known)])
    document = _read(path, root=root)
    return _settled(_modelled(document, model=SourceMapping), documents=[document])


def schemas() -> dict[str, str]:
    """Return the JSON Schema of every kind of parameter file: file name → text, as in ``parameters/schemas``."""
    return {
        f"{name}.json": json.dumps(model.model_json_schema(by_alias=True), indent=2, ensure_ascii=False) + "\n"
        for name, model in SCHEMAS.items()
    }


def write_schemas(root: Path) -> list[Path]:
    """Write the schemas below ``root/parameters/schemas`` and return the files."""
    folder = root / "parameters" / "schemas"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in schemas()]


def _folder(root: Path, *, org: str) -> Path:
    """Return the folder of an organisation; no name can lead out of ``parameters``."""
    known = sorted(path.parent.name for path in (root / "parameters").glob("*/organisation.yml"))
    if org not in known or not re.match(ID_PATTERN, org):
        raise _error([_nothing("parameters", name=org, what="organisation", known=known)])
    return root / "parameters" / org


def _nothing(where: str, *, name: str, what: str, known: Sequence[str]) -> Problem:
    fix = suggestion(name, known=known)
    return Problem(file=where, line=0, key="", value=name, message=f"no {what} of that name", fix=fix)


def _read(path: Path, *, root: Path) -> Document:
    return read_document(path, file=path.relative_to(root).as_posix())


def _organisation_document(root: Path, *, org: str) -> Document:
    document = _read(_folder(root, org=org) / "organisation.yml", root=root)
    _check_name(document, name=org)
    return document


def _portfolio_files(root: Path, *, org: str) -> list[Path]:
    return sorted((_folder(root, org=org) / "portfolios").glob("*.yml"))


def _portfolio_file(root: Path, *, org: str, portfolio: str) -> Path | None:
    """Return the file of a portfolio, None if it has none: without looking through all of a thousand."""
    path = _folder(root, org=org) / "portfolios" / f"{portfolio}.yml"
    return path if re.match(ID_PATTERN, portfolio) and path.is_file() else None


def _portfolio_document(path: Path, *, root: Path, base: Document) -> Document:
    """Return one portfolio's file; what is wrong with its values over the organisation's is its own problem."""
    document = _read(path, root=root)
    _check_name(document, name=path.stem)
    _modelled(document, model=Portfolio)
    if not document.problems:
        differences = _differences(document)
        over = Document(document.file, lines=document.lines)
        _modelled(over, model=Organisation, values=_merged(base.values, above=differences))
        document.problems += [problem for problem in over.problems if _speaks_of(problem, differences=differences)]
    return document


def _speaks_of(problem: Problem, *, differences: Mapping[str, Any]) -> bool:
    group, _, key = problem["key"].partition(".")
    return group in differences and (not key or key in differences[group])


def _differences(document: Document) -> dict[str, Any]:
    return {key: document.values[key] for key in DIFFERING if key in document.values}


def _check_name(document: Document, *, name: str) -> None:
    """Complain of an id that is not the name of its file or folder: two names for one thing get mixed up."""
    if document.values.get("id", name) != name:
        document.complain(
            ("id",),
            value=document.values["id"],
            message=f"the id is not the name of its file or folder, {name!r}",
            fix="rename one of the two",
        )


def _modelled(document: Document, *, model: type[M], values: Mapping[str, Any] | None = None) -> M | None:
    """Return the model of a document, or of values that end in it; its faults become problems of the document."""
    try:
        return model.model_validate(document.values if values is None else values)
    except ValidationError as error:
        explain(document, model=model, error=error)
        return None


def _typed(overrides: Mapping[str, str]) -> Document:
    """Return the nested values that dotted keys from the command line speak of."""
    document = Document(COMMAND_LINE)
    for key, text in overrides.items():
        *above, last = key.split(".")
        if secret_like(last, value=text):
            document.complain((key,), message="looks like a secret", fix=REFERENCE_FIX)
        if key == "id":
            document.complain((key,), value=text, message="an organisation's id cannot be overridden", fix="use --org")
        level = document.values
        for part in above:
            level = level.setdefault(part, {})
            if not isinstance(level, dict):
                document.complain((key,), value=text, message="is both a value and a group", fix="give one of the two")
                break
        else:
            level[last] = parse_scalar(text)
    return document


def _merged(below: Mapping[str, Any], *, above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], above=value) if nested else value
    return merged


def _settled(result: M | None, *, documents: Sequence[Document]) -> M:
    """Return the result, or raise with the problems of all documents."""
    _raise_problems(documents)
    assert result is not None, "no result, and nobody says why"
    return result


def _raise_problems(documents: Sequence[Document]) -> None:
    problems = [problem for document in documents for problem in document.problems]
    if problems:
        raise _error(problems)


def _error(problems: list[Problem]) -> ParameterError:
    lines = [_line(problem) for problem in problems]
    head = "" if len(lines) == 1 else f"{len(lines)} problems in the parameters:\n  "
    return ParameterError(head + "\n  ".join(lines), problems=problems)


def _line(problem: Problem) -> str:
    place = problem["file"] + (f", line {problem['line']}" if problem["line"] else "")
    key = f", {problem['key']}" if problem["key"] else ""
    value = f": {problem['value']!r}" if problem["value"] else ""
    return f"{place}{key}: {problem['message']}{value} → {problem['fix']}"
