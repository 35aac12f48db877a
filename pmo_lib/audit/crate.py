"""A run as a Process Run Crate: its files, what it was made of, and how, for whoever reads RO-Crates.

::

    ro-crate-metadata.json                      who made what of what, with which software
    <period>/<portfolio>/<report>.html, …       the run's own files, with run.json and SHA256SUMS; open the page here
    <period>/assets/                            what the page needs for its charts
    data/snapshot.json, returns/, tables/, intake/   the snapshot, and the returns byte for byte
    inputs/, source/, published/                parameters and notebooks, the library, what others had published
    requirements.txt, environment.json          packages: as locked, and as they were

The same run gives the same bytes: no clock, and the files of a zip are stored as they are, with one date.

Process Run Crate 0.5, https://w3id.org/ro/wfrun/process/0.5; RO-Crate 1.1, https://w3id.org/ro/crate/1.1.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from rocrate.model.contextentity import ContextEntity
from rocrate.model.person import Person
from rocrate.rocrate import ROCrate

from pmo_lib.archive.contents import object_path
from pmo_lib.archive.restore import is_plain, read_list, read_object
from pmo_lib.archive.runs import RECORD, SUMS
from pmo_lib.audit.named import gone, published_of
from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.store import canonical_json, digest_of, inside, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pmo_lib.audit.named import Kept

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
METADATA = "ro-crate-metadata.json"
DATE = (1980, 1, 1, 0, 0, 0)  # of every file in the zip: the earliest that it can have
SOFTWARE, LICENCE, ACTION, AGENT = "#pmo-lib", "#licence", "#run", "#operator"
FORMATS = {
    "csv": "text/csv", "html": "text/html", "ipynb": "application/x-ipynb+json", "js": "text/javascript",
    "json": "application/json", "jsonl": "application/jsonl", "parquet": "application/vnd.apache.parquet",
    "py": "text/x-python", "txt": "text/plain", "yml": "application/yaml",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}  # fmt: skip


class Part(NamedTuple):
    """A file of the crate: its place, what it is to the run (``result`` or ``object``), its sha256 and where it lies.

    ``told`` is what else is said of it; ``lies`` is the file, None for an object of the archive.
    """

    path: str
    role: str
    sha256: str
    name: str
    told: Mapping[str, Any] = {}
    lies: Path | None = None


def crate(run: Kept, *, out: Path) -> list[str]:
    """Write a run as a crate: a zip where the name ends in ``.zip``, else a folder that is not there yet.

    Returns
    -------
    list of str
        What is not in it, since it is not in the archive any more: what it is, and why.

    Raises
    ------
    ParameterError
        If there is something of that name already.
    StoreError
        If something that the run was made of is altered, or missing without having been disposed of.
    """
    if out.exists():
        raise ParameterError(f"{out}: is there already", fix="name another, or delete it first", problems=[])
    every = {part.path: part for part in _parts(run)}
    missing = {
        path: gone(run.root, path=object_path(part.sha256)) for path, part in every.items() if _absent(run, part=part)
    }
    if lost := [path for path, why in missing.items() if not why.startswith("expired")]:
        raise StoreError(
            f"{lost[0]} of {run.place}: its bytes are {missing[lost[0]]}", fix="restore them from a copy of the archive"
        )
    parts = [every[path] for path in sorted(every.keys() - missing.keys())]
    told = [f"{path}: {why}" for path, why in sorted(missing.items())]
    files = {METADATA: metadata(run, parts=parts, missing=told)}
    if out.suffix.lower() == ".zip":
        write_atomically(out, content=_zipped(run, files=files, parts=parts))
        return told
    for path, content in _contents(run, files=files, parts=parts):
        write_atomically(inside(out, parts=tuple(path.split("/"))), content=content)
    return told


# --- what is in it --------------------------------------------------------------------------------------------


def _parts(run: Kept) -> Iterator[Part]:
    """Yield every file of the crate; a name that is no plain path is refused by whoever writes."""
    period, portfolio = str(run.asked["period"]), str(run.asked["portfolio"])
    folder = f"{period}/{portfolio}" if portfolio else period
    for name, digest in run.run.sums.items():
        yield Part(f"{folder}/{name}", "result", digest, name, {}, run.folder / name)
    yield Part(f"{folder}/{SUMS}", "", run.run.digest, SUMS, {}, run.folder / SUMS)
    for one in run.made_of("assets"):
        name = str((one.annotations or {}).get("name", "asset"))
        yield Part(f"{period}/assets/{name}", "object", one.sha256, f"script of the charts: {name}")
    yield from _data(run)
    notebook = {one.sha256 for one in run.made_of("notebook")}
    for name in ("inputs", "source"):
        for one in run.made_of(name):
            for path, digest in read_list(run.root, digest=one.sha256).items():
                code = {"@type": ["File", "SoftwareSourceCode"]} if digest in notebook or name == "source" else {}
                yield Part(f"{name}/{path}", "object", digest, path, code)
    for name, path in (("lock", "requirements.txt"), ("environment", "environment.json")):
        for one in run.made_of(name):
            yield Part(path, "object", one.sha256, name)
    held = published_of(run)
    for path, digest in run.listed("published").items():
        lies = held.get(digest)
        yield Part(f"published/{path}", "object", digest, f"published before: {path}", {}, lies)


def _data(run: Kept) -> Iterator[Part]:
    snapshot = run.snapshot
    place = run.root / "snapshots" / snapshot.period / f"{snapshot.id}.json"
    yield Part("data/snapshot.json", "object", snapshot.id, f"snapshot of {snapshot.period}", {}, place)
    for one in snapshot.kept["sources"]:
        yield Part(f"data/returns/{_plain(str(one['name']))}", "object", str(one["sha256"]), f"return: {one['name']}")
    for kind, ending in (("tables", "parquet"), ("intake", "json")):
        for name, one in snapshot.kept[kind].items():
            yield Part(f"data/{kind}/{_plain(name)}.{ending}", "object", str(one["sha256"]), f"{kind}: {name}")


def _plain(name: str) -> str:
    """Return a name as a path below a folder: what could lead elsewhere is written in per cent."""
    return name if is_plain(name) else quote(name, safe=" ,+=@()&'").replace("..", "%2E%2E")


def _absent(run: Kept, *, part: Part) -> bool:
    return part.lies is None and not (run.root / object_path(part.sha256)).is_file()


def _content(run: Kept, *, part: Part) -> bytes:
    if part.lies is None:
        return read_object(run.root, digest=part.sha256)
    content = part.lies.read_bytes()
    if digest_of(content) != part.sha256:
        raise StoreError(f"{part.path}: was altered while it was read", fix="see what pmo verify says")
    return content


def _contents(run: Kept, *, files: Mapping[str, bytes], parts: list[Part]) -> Iterator[tuple[str, bytes]]:
    yield from files.items()
    for part in parts:
        yield part.path, _content(run, part=part)


def _zipped(run: Kept, *, files: Mapping[str, bytes], parts: list[Part]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for path, content in _contents(run, files=files, parts=parts):
            about = zipfile.ZipInfo(path, DATE)
            about.create_system, about.external_attr = 3, 0o644 << 16
            archive.writestr(about, content)
    return sink.getvalue()


# --- what is said of it ---------------------------------------------------------------------------------------


def metadata(run: Kept, *, parts: list[Part], missing: list[str]) -> bytes:
    """Return the metadata document of the crate."""
    made = ROCrate(version="1.1")
    made.metadata.extra_contexts.append(TERMS)
    _root(made, run=run, missing=missing)
    files = {part.path: _file(made, part=part) for part in parts}
    action = made.add(ContextEntity(made, ACTION, properties=_action(run)))
    made.root_dataset["mentions"] = action
    action["agent"] = made.add(Person(made, AGENT, properties={"name": str(run.told["pmo_operator"])}))
    notebook = [files[part.path] for part in parts if part.path == f"inputs/notebooks/{run.run.report}.ipynb"]
    action["instrument"] = [_software(made, run=run), *notebook]
    action["object"] = [
        *(files[part.path] for part in parts if part.role == "object"),
        *(_parameter(made, name=name, value=value) for name, value in sorted(run.asked.items())),
    ]
    action["result"] = [files[part.path] for part in parts if part.role == "result"]
    document = made.metadata.generate()
    document["@graph"].sort(key=lambda entity: (entity["@id"] != METADATA, entity["@id"] != "./", entity["@id"]))
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _root(made: ROCrate, *, run: Kept, missing: list[str]) -> None:
    asked, root = run.asked, made.root_dataset
    subject = asked["portfolio"] or asked["organisation"]
    made.name = f"{str(asked['report']).replace('_', ' ').capitalize()} of {subject}, {asked['period']}"
    gaps = f" Not in it: {'; '.join(missing)}." if missing else ""
    made.description = (
        f"The run {run.place} of {asked['organisation']}: its page, results and executed notebook, and all that it was "
        f"made of; {RECORD} is its record as an in-toto statement.{gaps}"
    )
    root["datePublished"] = str(run.told["finishedOn"])
    root["license"] = made.add(
        ContextEntity(made, LICENCE, properties={
            "@type": "CreativeWork", "name": "No licence is stated",
            "description": "Ask the organisation whose returns these are before passing them on.",
        })
    )  # fmt: skip
    root["conformsTo"] = made.add(
        ContextEntity(made, PROFILE, properties={
            "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5",
        })
    )  # fmt: skip
    root["creator"] = {"@id": AGENT}


def _file(made: ROCrate, *, part: Part) -> Any:
    ending = part.path.rpartition(".")[2].lower()
    told = {"name": part.name, "sha256": part.sha256, **part.told}
    told |= {"encodingFormat": FORMATS[ending]} if ending in FORMATS else {}
    return made.add_file(dest_path=part.path, properties=told)


def _action(run: Kept) -> dict[str, Any]:
    told = run.told
    reason = f"; {told['pmo_reason']}" if told["pmo_reason"] else ""
    return {
        "@type": "CreateAction",
        "name": f"Run of {run.asked['report']}",
        "description": f"Batch {told['invocationId']}, attempt {told['pmo_attempt']}, on {told['pmo_host']}{reason}",
        "startTime": str(told["startedOn"]),
        "endTime": str(told["finishedOn"]),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }


def _software(made: ROCrate, *, run: Kept) -> Any:
    versions = run.run.statement["predicate"]["runDetails"]["builder"]["version"]
    commit = [str((one.annotations or {}).get("commit") or "") for one in run.made_of("source")]
    said = f"commit {commit[0]}" if commit and commit[0] else "its source is in this crate"
    told = {
        "@type": "SoftwareApplication", "name": "pmo-lib", "softwareVersion": str(versions["pmo-lib"]),
        "description": f"PMO Workbook, the library that made the report; {said}"
        + ("; a draft: its source had changes that were not committed" if run.told["pmo_draft"] else ""),
    }  # fmt: skip
    return made.add(ContextEntity(made, SOFTWARE, properties=told))


def _parameter(made: ROCrate, *, name: str, value: Any) -> Any:
    text = value if isinstance(value, str) else canonical_json(value).decode()
    told = {"@type": "PropertyValue", "name": name, "value": text}
    return made.add(ContextEntity(made, f"#parameter-{quote(name)}", properties=told))
