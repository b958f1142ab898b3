"""Signing keys as public JWKs, with the one algorithm each of them may be used with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.ids import Instant, Wire

# "Ed25519" is the name RFC 9864 gives what everybody still writes as "EdDSA"; a key is on file with one of them.
Algorithm = Literal["EdDSA", "Ed25519", "ES256"]
# "<owner>:<running number of the key>", for example "kiosk-7:1".
KeyId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}:[1-9][0-9]{0,5}$")]
_B64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class PublicJwk(Wire):
    """RFC 8037 / RFC 7518 public key. Private members (`d`) are refused: they have no place on a topic."""

    kty: Literal["OKP", "EC"]
    crv: Literal["Ed25519", "P-256"]
    x: _B64
    y: _B64 | None = None


class PublicKey(Wire):
    """A public key on file. The algorithm is taken from here, never from a message."""

    kid: KeyId
    algorithm: Algorithm
    jwk: PublicJwk
    enrolled_at: Instant | None = None
    revoked_at: Annotated[Instant | None, Field(description="from this receipt time on it verifies nothing")] = None


# The key of all workers: what they reply with, and what one tree says to another. No operator has this name there.
SERVER_KID = "server:1"


def owner_of(kid: str) -> str:
    """The terminal or operator a key id belongs to."""
    return kid.partition(":")[0]
