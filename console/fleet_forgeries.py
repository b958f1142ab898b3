"""Bytes that must not be believed, whatever they say: broken, cut, forged and downgraded envelopes."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from random import Random

import orjson

from schemas.envelope import MAX_BYTES, SigningKey
from schemas.keys import Algorithm, PublicKey


def b64(raw: bytes) -> bytes:
    """base64url without padding, as JOSE writes it."""
    return urlsafe_b64encode(raw).rstrip(b"=")


def seeded_key(kid: str, rng: Random) -> SigningKey:
    """An Ed25519 key made from the seed: nobody enrolled it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    secret = rng.randbytes(32)
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    jwk = {"kty": "OKP", "crv": "Ed25519", "d": b64(secret).decode(), "x": b64(public).decode()}
    return SigningKey.load(orjson.dumps({**jwk, "kid": kid, "alg": "EdDSA"}))


def wrong_signature(message: bytes, rng: Random) -> bytes:
    """One bit of the signature is another."""
    head, _, signature = message.rpartition(b".")
    raw = bytearray(urlsafe_b64decode(signature + b"=="))
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return head + b"." + b64(bytes(raw))


def altered_payload(message: bytes, payload: bytes) -> bytes:
    """Another payload under the signature of the first."""
    head, _, signature = message.split(b".")
    return b".".join((head, b64(payload), signature))


def cut(message: bytes, rng: Random) -> bytes:
    """The line broke off within the first two parts."""
    return message[: rng.randrange(1, message.rindex(b"."))]


def noise(rng: Random) -> bytes:
    """Bytes that are nothing; the first is none that base64url has."""
    return b"\x00" + rng.randbytes(rng.randrange(200))


def unsigned(payload: bytes, kid: str) -> bytes:
    """alg none as RFC 7515 writes it: the third part is empty."""
    return b64(orjson.dumps({"alg": "none", "kid": kid})) + b"." + b64(payload) + b"."


def none_with_signature(payload: bytes, kid: str, rng: Random) -> bytes:
    """alg none, with something in the signature's place."""
    return unsigned(payload, kid) + b64(rng.randbytes(64))


def hmac_with_public_key(payload: bytes, key: PublicKey) -> bytes:
    """HS256 with the public key as its secret: the oldest trick against a verifier that believes the header."""
    signed = b64(orjson.dumps({"alg": "HS256", "kid": key.kid})) + b"." + b64(payload)
    secret = urlsafe_b64decode(key.jwk.x + "=")
    return signed + b"." + b64(hmac.digest(secret, signed, hashlib.sha256))


def other_algorithm(payload: bytes, key: SigningKey) -> bytes:
    """A good signature under a header that names an algorithm the key on file is not for."""
    other: Algorithm = "ES256" if key.algorithm != "ES256" else "EdDSA"
    head = b64(orjson.dumps({"alg": other, "kid": key.kid}))
    _, _, signature = key.sign(payload).split(b".")
    return b".".join((head, b64(payload), signature))


def with_header(payload: bytes, header: dict[str, object], rng: Random) -> bytes:
    """Any header, with something in the signature's place."""
    return b64(orjson.dumps(header)) + b"." + b64(payload) + b"." + b64(rng.randbytes(64))


def too_large(order: dict[str, object], key: SigningKey) -> bytes:
    """Signed well, and longer than any message may be."""
    return key.sign(orjson.dumps({**order, "padding": "x" * MAX_BYTES}))
