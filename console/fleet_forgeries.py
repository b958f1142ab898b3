"""Bytes that must not be believed, whatever they say: broken, cut, forged and downgraded envelopes."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from random import Random

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from console.fleet_kinds import Kind
from console.fleet_world import Json
from schemas.envelope import MAX_BYTES, SigningKey
from schemas.keys import owner_of

# The bytes sent in place of a good order signed by the terminal's key.
Forgery = Callable[[Json, SigningKey, Random], bytes]


def seeded_key(kid: str, rng: Random, algorithm: str = "EdDSA") -> SigningKey:
    """An Ed25519 key made from the seed: nobody enrolled it."""
    secret = rng.randbytes(32)
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    jwk = {"kty": "OKP", "crv": "Ed25519", "d": _b64(secret).decode(), "x": _b64(public).decode()}
    return SigningKey.load(orjson.dumps({**jwk, "kid": kid, "alg": algorithm}))


def _noise(order: Json, key: SigningKey, rng: Random) -> bytes:
    """Bytes that are nothing; the first is none that base64url has."""
    return b"\x00" + rng.randbytes(rng.randrange(200))


def _empty(order: Json, key: SigningKey, rng: Random) -> bytes:
    return b""


def _cut(order: Json, key: SigningKey, rng: Random) -> bytes:
    """The line broke off within the first two parts."""
    message = key.sign(orjson.dumps(order))
    return message[: rng.randrange(1, message.rindex(b"."))]


def _unsigned(order: Json, key: SigningKey, rng: Random) -> bytes:
    """alg none as RFC 7515 writes it: the third part is empty."""
    return _joined({"alg": "none", "kid": key.kid}, order, b"")


def _more_headers(order: Json, key: SigningKey, rng: Random) -> bytes:
    """A header that brings its own key along, as if it could say what verifies it."""
    mine = seeded_key(key.kid, rng)
    header = {"alg": "EdDSA", "kid": key.kid, "jwk": mine.public().jwk.model_dump(exclude_none=True)}
    return _joined(header, order, rng.randbytes(64))


def _too_large(order: Json, key: SigningKey, rng: Random) -> bytes:
    """Signed well, and longer than any message may be."""
    return key.sign(orjson.dumps({**order, "padding": "x" * MAX_BYTES}))


def _none_with_signature(order: Json, key: SigningKey, rng: Random) -> bytes:
    return _joined({"alg": "none", "kid": key.kid}, order, rng.randbytes(64))


def _hmac(order: Json, key: SigningKey, rng: Random) -> bytes:
    """HS256 with the public key as its secret: the oldest trick against a verifier that believes the header."""
    signed = _joined({"alg": "HS256", "kid": key.kid}, order, b"")[:-1]
    secret = urlsafe_b64decode(key.public().jwk.x + "=")
    return signed + b"." + _b64(hmac.digest(secret, signed, hashlib.sha256))


def _other_algorithm(order: Json, key: SigningKey, rng: Random) -> bytes:
    """A header with an algorithm that the key on file is not for."""
    return _joined({"alg": "ES256" if key.algorithm != "ES256" else "EdDSA", "kid": key.kid}, order, rng.randbytes(64))


def _unknown_key(order: Json, key: SigningKey, rng: Random) -> bytes:
    return seeded_key(f"{owner_of(key.kid)}:999999", rng).sign(orjson.dumps(order))


def _path_as_key(order: Json, key: SigningKey, rng: Random) -> bytes:
    return _joined({"alg": key.algorithm, "kid": "../operators/root:1"}, order, rng.randbytes(64))


def _wrong_signature(order: Json, key: SigningKey, rng: Random) -> bytes:
    """One bit of the signature is another."""
    signed, _, signature = key.sign(orjson.dumps(order)).rpartition(b".")
    raw = bytearray(urlsafe_b64decode(signature + b"=="))
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return signed + b"." + _b64(bytes(raw))


def _altered(order: Json, key: SigningKey, rng: Random) -> bytes:
    """Ten times the amount under the signature of the order."""
    head, _, signature = key.sign(orjson.dumps(order)).split(b".")
    return b".".join((head, _b64(orjson.dumps({**order, "amount": order["amount"] * 10})), signature))


def _forged(order: Json, key: SigningKey, rng: Random) -> bytes:
    """A key of one's own under the id of the terminal's. Where that one is for ES256, random bytes do as well."""
    if key.algorithm == "ES256":
        return _joined({"alg": "ES256", "kid": key.kid}, order, rng.randbytes(64))
    return seeded_key(key.kid, rng, key.algorithm).sign(orjson.dumps(order))


FORGERIES: dict[Kind, Forgery] = {
    Kind.NOISE: _noise,
    Kind.EMPTY: _empty,
    Kind.CUT: _cut,
    Kind.UNSIGNED: _unsigned,
    Kind.MORE_HEADERS: _more_headers,
    Kind.TOO_LARGE: _too_large,
    Kind.NONE_WITH_SIGNATURE: _none_with_signature,
    Kind.HMAC: _hmac,
    Kind.OTHER_ALGORITHM: _other_algorithm,
    Kind.UNKNOWN_KEY: _unknown_key,
    Kind.PATH_AS_KEY: _path_as_key,
    Kind.WRONG_SIGNATURE: _wrong_signature,
    Kind.ALTERED: _altered,
    Kind.FORGED: _forged,
}


def _joined(header: Json, order: Json, signature: bytes) -> bytes:
    return b".".join(_b64(part) for part in (orjson.dumps(header), orjson.dumps(order), signature))


def _b64(raw: bytes) -> bytes:
    """base64url without padding, as JOSE writes it."""
    return urlsafe_b64encode(raw).rstrip(b"=")
