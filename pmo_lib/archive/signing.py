"""Who vouches for what is kept: Ed25519 signatures (RFC 8032) over DSSE's pre-authentication encoding.

A signature is ``{"keyid": <sha256 of the public key>, "sig": <base64>}``. What was signed is bound to its kind,
so that a signed record can never be shown as a signed ledger entry. DSSE 1: https://github.com/secure-systems-lab/dsse.

No public key is believed because it lies in the archive: it comes from a place outside, as a checkpoint does.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pmo_lib.errors import ParameterError
from pmo_lib.store import canonical_json, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

STATEMENT = "application/vnd.in-toto+json"
ENTRY = "application/vnd.pmo.ledger-entry+json"
CHECKPOINT = "application/vnd.pmo.checkpoint+json"


@dataclass(frozen=True)
class SigningKey:
    """A private key; ``keyid`` is the sha256 of the public one (its SubjectPublicKeyInfo)."""

    private: Ed25519PrivateKey
    keyid: str

    def sign(self, payload: bytes, *, kind: str) -> dict[str, str]:
        """Return a signature over a payload of a kind."""
        return {"keyid": self.keyid, "sig": base64.b64encode(self.private.sign(encoded(payload, kind=kind))).decode()}


def encoded(payload: bytes, *, kind: str) -> bytes:
    """Return what is signed: DSSE's pre-authentication encoding (PAE)."""
    name = kind.encode()
    return b" ".join((b"DSSEv1", str(len(name)).encode(), name, str(len(payload)).encode(), payload))


def envelope(payload: bytes, *, kind: str, key: SigningKey) -> bytes:
    """Return a DSSE envelope as a file."""
    document = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": kind,
        "signatures": [key.sign(payload, kind=kind)],
    }
    return canonical_json(document)


def is_signature(value: object) -> bool:
    """Say whether a value has the form of a signature."""
    return (
        isinstance(value, dict)
        and set(value) == {"keyid", "sig"}
        and all(isinstance(text, str) and text.isascii() for text in value.values())
    )


@dataclass(frozen=True)
class Trusted:
    """Public keys that are believed, by their keyid."""

    keys: Mapping[str, Ed25519PublicKey]

    def problem(self, signature: Mapping[str, Any], *, payload: bytes, kind: str) -> str:
        """Say what is wrong with a signature over a payload; nothing if it is one of ours and right."""
        if not is_signature(signature):
            return "its signature is none"
        key = self.keys.get(signature["keyid"])
        if key is None:
            return f"it is signed with key {signature['keyid'][:12]}, which is not one of those that were given"
        try:
            key.verify(base64.b64decode(signature["sig"], validate=True), encoded(payload, kind=kind))
        except (InvalidSignature, binascii.Error):
            return f"its signature is not that of key {signature['keyid'][:12]} over these bytes"
        return ""


def new_key(path: Path) -> SigningKey:
    """Make a key: the private half at ``path``, readable to its owner alone, the public one beside it (``.pub``).

    ParameterError if a file is there already.
    """
    private = Ed25519PrivateKey.generate()
    public = path.with_name(f"{path.name}.pub")
    for each in (path, public):
        if each.exists() or each.is_symlink():
            raise ParameterError(f"{each.name}: is there already", fix="name another file", problems=[])
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    public.write_bytes(
        private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return SigningKey(private, keyid_of(private.public_key()))


def keyid_of(public: Ed25519PublicKey) -> str:
    """Return the name of a key."""
    return digest_of(public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def read_key(path: Path) -> SigningKey:
    """Read a private key (PEM, PKCS #8, without a password); ParameterError if the file is none."""
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path, why="cannot be read as a private key without a password") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise _no_key(path, why="is a key of another kind than Ed25519")
    return SigningKey(private, keyid_of(private.public_key()))


def read_trusted(paths: Iterable[Path]) -> Trusted:
    """Read public keys (PEM); ParameterError if a file is none."""
    keys = {}
    for path in paths:
        try:
            public = serialization.load_pem_public_key(path.read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise _no_key(path, why="cannot be read as a public key") from error
        if not isinstance(public, Ed25519PublicKey):
            raise _no_key(path, why="is a key of another kind than Ed25519")
        keys[keyid_of(public)] = public
    return Trusted(keys)


def _no_key(path: Path, *, why: str) -> ParameterError:
    return ParameterError(f"{path.name}: {why}", fix="make one with `pmo archive key`, or name another", problems=[])
