"""The run record: who made what of what, as an in-toto Statement (version 1) with the SLSA provenance predicate (v1).

The one place where clock, host and operator of a run stand. Fields that SLSA does not know begin with ``pmo_``, as its
rules for extensions ask. https://in-toto.io/Statement/v1, https://slsa.dev/spec/v1.0/provenance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.ledger import is_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TYPE, PREDICATE = "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:pmo-workbook:report:1"
ABOUT = ("period", "portfolio", "report")
TOLD = ("supersedes", "reason", "draft")


@dataclass(frozen=True)
class Dependency:
    """Something that a run was made of: what it is to the run, where it lies in the archive, and its sha256.

    ``annotations``: what else is known of it, such as the commit of a source tree.
    """

    name: str
    uri: str
    sha256: str
    annotations: Mapping[str, Any] | None = None

    @property
    def document(self) -> dict[str, Any]:
        """It as a resource descriptor."""
        told = {"name": self.name, "uri": self.uri, "digest": {"sha256": self.sha256}}
        return told | ({"annotations": dict(self.annotations)} if self.annotations else {})


def statement(
    subjects: Mapping[str, str],
    *,
    asked: Mapping[str, Any],
    made_with: Mapping[str, Any],
    made_of: Sequence[Dependency],
    went: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a run record.

    Parameters
    ----------
    subjects
        Files of the run → their sha256.
    asked
        Typed parameters: ``organisation, period, portfolio, report, overrides``.
    made_with
        What else decided what was made: the settings that were read, engine, environment, numeric profile.
    made_of
        Everything that was read, in any order.
    went
        ``builder`` (versions), ``batch``, ``started``, ``finished``, and what becomes a ``pmo_`` field: ``operator,
        host, attempt, python, platform, rows, supersedes, reason, draft, signed_by``.
    """
    plain = {"builder", "batch", "started", "finished"}
    return {
        "_type": TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(subjects.items())],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": dict(asked),
                "internalParameters": dict(made_with),
                "resolvedDependencies": [one.document for one in sorted(made_of, key=lambda one: (one.name, one.uri))],
            },
            "runDetails": {
                "builder": {"id": "urn:pmo-workbook:pmo-lib", "version": dict(went["builder"])},
                "metadata": {
                    "invocationId": went["batch"],
                    "startedOn": went["started"],
                    "finishedOn": went["finished"],
                    **{f"pmo_{name}": value for name, value in went.items() if name not in plain},
                },
            },
        },
    }


def is_statement(document: Mapping[str, Any]) -> bool:
    """Say whether a document has the form of a run record: everything that is looked up in one is there."""
    try:
        build, details = document["predicate"]["buildDefinition"], document["predicate"]["runDetails"]
        asked, told = build["externalParameters"], details["metadata"]
        signed_by, supersedes = told["pmo_signed_by"], told["pmo_supersedes"]
        return (
            (document["_type"], document["predicateType"], build["buildType"]) == (TYPE, PREDICATE, BUILD_TYPE)
            and all(isinstance(asked[name], str) for name in ("organisation", *ABOUT))
            and isinstance(asked["overrides"], dict)
            and isinstance(build["internalParameters"], dict)
            and (signed_by is None or is_digest(signed_by))
            and (supersedes is None or isinstance(supersedes, str))
            and isinstance(told["pmo_reason"], str)
            and isinstance(told["pmo_draft"], bool)
            and all(isinstance(one["name"], str) and is_digest(one["digest"]["sha256"]) for one in document["subject"])
            and all(isinstance(one["uri"], str) for one in build["resolvedDependencies"])
            and all(isinstance(one["name"], str) for one in build["resolvedDependencies"])
            and all(is_digest(one["digest"]["sha256"]) for one in build["resolvedDependencies"])
            and is_digest(dependency(document, name="snapshot").sha256)
        )
    except (KeyError, TypeError, LookupError):
        return False


def told_of_run(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a ledger entry repeats of a run record."""
    asked, told = asked_of(document), metadata_of(document)
    about = {name: asked[name] for name in ABOUT} | {name: told[f"pmo_{name}"] for name in TOLD}
    return about | {"snapshot": dependency(document, name="snapshot").sha256}


def asked_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a run."""
    return dict(document["predicate"]["buildDefinition"]["externalParameters"])


def made_with(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else decided what was made."""
    return dict(document["predicate"]["buildDefinition"]["internalParameters"])


def metadata_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return when, where, by whom and why a run was."""
    return dict(document["predicate"]["runDetails"]["metadata"])


def subjects_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the files that a run made, with their sha256."""
    return {one["name"]: one["digest"]["sha256"] for one in document["subject"]}


def dependencies(document: Mapping[str, Any], *, name: str = "") -> list[Dependency]:
    """Return everything that a run was made of, or what has a name there."""
    every = document["predicate"]["buildDefinition"]["resolvedDependencies"]
    found = [Dependency(one["name"], one["uri"], one["digest"]["sha256"], one.get("annotations")) for one in every]
    return [one for one in found if not name or one.name == name]


def dependency(document: Mapping[str, Any], *, name: str) -> Dependency:
    """Return the one thing of a name that a run was made of; KeyError if there is none."""
    found = dependencies(document, name=name)
    if len(found) != 1:
        raise KeyError(name)
    return found[0]
