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
    Document,
    Problem,
    explain,
    parse_scalar,
    read_document,
    secret_like,
    suggestion,
)
from pmo_lib.parameters.mapping import Mapping as SourceMapping
from pmo_lib.parameters.models import ID_PATTERN, Organisation, Portfolio, Reports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

M = TypeVar("M", bound=BaseModel)
COMMAND_LINE = "command line"
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
    return _settled(_modelled(document, model), [document])


def load_organisation(root: Path, *, org: str) -> Organisation:
    """Return the parameters of one organisation.

    Raises
    ------
    ParameterError
        If it does not exist, or with all its problems.
    """
    document = _organisation_document(root, org)
    return _settled(_modelled(document, Organisation), [document])


def load_portfolios(root: Path, *, org: str) -> dict[str, Portfolio]:
    """Return what differs for each portfolio that has a file, by id, sorted.

    Raises
    ------
    ParameterError
        With the problems of all files at once, also those that only show against the organisation's values.
    """
    base = _organisation_document(root, org)
    documents: list[Document] = [base]
    portfolios: dict[str, Portfolio] = {}
    for path in sorted((_folder(root, org) / "portfolios").glob("*.yml")):
        document = _read(root, path)
        _same_name(document, path.stem)
        portfolio = _modelled(document, Portfolio)
        _laid_over(base, document)
        documents.append(document)
        if portfolio is not None:
            portfolios[portfolio.id] = portfolio
    _settled(base, documents)
    return portfolios


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
    base = _organisation_document(root, org)
    documents = [base]
    path = _folder(root, org) / "portfolios" / f"{portfolio}.yml"
    layers = Document(base.file, values=base.values)
    if portfolio is not None and re.match(ID_PATTERN, portfolio) and path.is_file():
        document = _read(root, path)
        _same_name(document, path.stem)
        _modelled(document, Portfolio)
        documents.append(document)
        layers = _laid_over(base, document)
    settings = _modelled(base, Organisation)
    if portfolio is not None and not documents[1:] and not re.match(ID_PATTERN, portfolio):
        base.complain(("portfolio",), value=portfolio, message="is no id", fix="use letters, digits and . _ -")
    if not any(document.problems for document in documents):
        top = _typed(overrides or {})
        values = _merged(layers.values, top.values)
        typed = Document(COMMAND_LINE if overrides else layers.file, values=values, problems=top.problems)
        settings = _modelled(typed, Organisation)
        documents.append(typed)
    return _settled(settings, documents)


def load_reports(root: Path) -> Reports:
    """Return the reports in reading order.

    Raises
    ------
    ParameterError
        With all problems of ``parameters/reports.yml``.
    """
    document = _read(root, root / "parameters" / "reports.yml")
    return _settled(_modelled(document, Reports), [document])


def load_mapping(root: Path, *, org: str, name: str) -> SourceMapping:
    """Return one mapping of an organisation.

    Raises
    ------
    ParameterError
        If there is none of that name (the message lists those that exist), or with all its problems.
    """
    folder = _folder(root, org) / "sources"
    path = folder / f"{name}.yml"
    known = sorted(found.stem for found in folder.glob("*.yml"))
    if name not in known:
        raise _error([_nothing(f"parameters/{org}/sources", name, "mapping", known)])
    document = _read(root, path)
    return _settled(_modelled(document, SourceMapping), [document])


def schemas() -> dict[str, str]:
    """Return the JSON Schema of every kind of parameter file: file name → text, as it stands in ``parameters/schemas``."""
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


def _folder(root: Path, org: str) -> Path:
    """Return the folder of an organisation; nothing can be spelt with an id that leaves ``parameters``."""
    known = sorted(path.parent.name for path in (root / "parameters").glob("*/organisation.yml"))
    if org not in known or not re.match(ID_PATTERN, org):
        raise _error([_nothing("parameters", org, "organisation", known)])
    return root / "parameters" / org


def _nothing(where: str, name: str, what: str, known: Sequence[str]) -> Problem:
    return Problem(
        file=where, line=0, key="", value=name, message=f"no {what} of that name", fix=suggestion(name, known)
    )


def _read(root: Path, path: Path) -> Document:
    return read_document(path, file=path.relative_to(root).as_posix())


def _organisation_document(root: Path, org: str) -> Document:
    document = _read(root, _folder(root, org) / "organisation.yml")
    _same_name(document, org)
    return document


def _same_name(document: Document, name: str) -> None:
    """Complain of an id that is not the name of its file or folder: two names for one thing get mixed up."""
    if document.values.get("id", name) != name:
        document.complain(
            ("id",),
            value=document.values["id"],
            message=f"the id is not the name of its file or folder, {name!r}",
            fix="rename one of the two",
        )


def _modelled(document: Document, model: type[M]) -> M | None:
    """Return the model of a document; its faults become problems of the document."""
    try:
        return model.model_validate(document.values)
    except ValidationError as error:
        explain(document, model, error)
        return None


def _laid_over(base: Document, document: Document) -> Document:
    """Return the organisation with one portfolio's differences; what is wrong with these is a problem of the portfolio."""
    differences = {key: document.values[key] for key in ("thresholds", "risk") if key in document.values}
    merged = Document(document.file, values=_merged(base.values, differences), lines=document.lines)
    known = len(document.problems)
    _modelled(merged, Organisation)
    mine = [p for p in merged.problems if p["key"].split(".")[0] in differences and p not in document.problems]
    if known == 0:
        document.problems.extend(mine)
    return merged


def _typed(overrides: Mapping[str, str]) -> Document:
    """Return the nested values that dotted keys from the command line speak of."""
    document = Document(COMMAND_LINE)
    for key, text in overrides.items():
        *above, last = key.split(".")
        if secret_like(last, text):
            document.complain(
                (key,), message="looks like a secret", fix="write a reference to the environment: env:NAME"
            )
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


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if nested else value
    return merged


def _settled(result: M | Any, documents: Sequence[Document]) -> Any:
    """Return the result, or raise with the problems of all documents."""
    problems = [problem for document in documents for problem in document.problems]
    if problems:
        raise _error(problems)
    return result


def _error(problems: list[Problem]) -> ParameterError:
    lines = [_line(problem) for problem in problems]
    more = "" if len(lines) == 1 else f"{len(lines)} problems in the parameters:\n  "
    return ParameterError(more + "\n  ".join(lines), problems=problems)


def _line(problem: Problem) -> str:
    place = problem["file"] + (f", line {problem['line']}" if problem["line"] else "")
    key = f", {problem['key']}" if problem["key"] else ""
    value = f": {problem['value']!r}" if problem["value"] else ""
    return f"{place}{key}: {problem['message']}{value} → {problem['fix']}"
