"""JWS compact (RFC 7515): how payments, commands and replies are signed and verified.

Deliberately narrow: the key and its one algorithm come from the file, never from the message; a header may hold
`alg`, `kid` and `typ` and nothing else. Signing and verifying call `cryptography` directly because a payment server
does this for every message (see docs/decisions); keys are made and read by joserfc.
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, OKPKey

from schemas.keys import Algorithm, PublicJwk, PublicKey
from schemas.reject import RejectReason

MAX_BYTES = 16 * 1024

_COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_HEADER_FIELDS = {"alg", "kid", "typ"}
_ECDSA = ec.ECDSA(SHA256())


class EnvelopeError(ValueError):
    """The message cannot be believed; `reason` says which rule it breaks, the text says how."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message taken apart and not yet believed: `payload` means nothing before `verify` returned."""

    algorithm: str
    kid: str
    payload: bytes
    signed: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key ready for use, with the one algorithm it may be used with."""

    on_file: PublicKey
    _key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey

    @classmethod
    def load(cls, on_file: PublicKey) -> VerifyingKey:
        """Raises ValueError when the JWK is not a point of its curve or does not fit its algorithm."""
        jwk = on_file.jwk
        if on_file.algorithm == "ES256":
            if jwk.kty != "EC" or jwk.crv != "P-256" or jwk.y is None:
                raise ValueError(f"key {on_file.kid}: ES256 needs an EC key on P-256")
            point = ec.EllipticCurvePublicNumbers(_number(jwk.x), _number(jwk.y), ec.SECP256R1())
            return cls(on_file, point.public_key())
        if jwk.kty != "OKP" or jwk.crv != "Ed25519":
            raise ValueError(f"key {on_file.kid}: {on_file.algorithm} needs an OKP key on Ed25519")
        return cls(on_file, ed25519.Ed25519PublicKey.from_public_bytes(_decode(jwk.x)))

    def verify(self, envelope: Envelope) -> None:
        """Raises EnvelopeError unless the envelope was signed by this key with its own algorithm. Frees the GIL."""
        if envelope.algorithm != self.on_file.algorithm:
            raise EnvelopeError(
                RejectReason.WRONG_ALGORITHM,
                f"header says {envelope.algorithm[:20]!r}, the key on file is {self.on_file.algorithm}",
            )
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey):
                self._key.verify(envelope.signature, envelope.signed)
            else:
                self._key.verify(_der(envelope.signature), envelope.signed, _ECDSA)
        except (InvalidSignature, ValueError):
            raise EnvelopeError(
                RejectReason.BAD_SIGNATURE, f"the signature does not verify with key {envelope.kid}"
            ) from None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its id. Kept in a file of mode 0600 as a private JWK; never on a topic or in a log."""

    kid: str
    algorithm: Algorithm
    _key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)
    _header: bytes = field(repr=False)

    @classmethod
    def generate(cls, kid: str, algorithm: Algorithm = "EdDSA") -> SigningKey:
        jwk = ECKey.generate_key("P-256") if algorithm == "ES256" else OKPKey.generate_key("Ed25519")
        return cls._of(kid, algorithm, jwk)

    @classmethod
    def load(cls, text: bytes) -> SigningKey:
        """Read what `dump` wrote; raises ValueError on anything else."""
        stored = orjson.loads(text)
        try:
            kid, algorithm = stored.pop("kid"), stored.pop("alg")
            kind = ECKey if algorithm == "ES256" else OKPKey
            return cls._of(kid, algorithm, kind.import_key(stored))
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a private key file: {error!r}") from None

    @classmethod
    def _of(cls, kid: str, algorithm: Algorithm, jwk: ECKey | OKPKey) -> SigningKey:
        key = jwk.private_key
        if not isinstance(key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
            raise ValueError(f"key {kid} has no private part of a kind we sign with")
        header = orjson.dumps({"alg": algorithm, "kid": kid})
        return cls(kid, algorithm, key, _encode(header) + b".")

    def dump(self) -> bytes:
        """The private JWK as JSON, with `kid` and `alg`."""
        return orjson.dumps({**self._jwk().as_dict(private=True), "kid": self.kid, "alg": self.algorithm})

    def public(self) -> PublicKey:
        jwk = self._jwk().as_dict(private=False)
        known = {name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk}
        return PublicKey(kid=self.kid, algorithm=self.algorithm, jwk=PublicJwk.model_validate(known))

    def sign(self, payload: bytes) -> bytes:
        """A compact JWS over the payload."""
        signed = self._header + _encode(payload)
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return signed + b"." + _encode(self._key.sign(signed))
        r, s = decode_dss_signature(self._key.sign(signed, _ECDSA))
        return signed + b"." + _encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    def _jwk(self) -> ECKey | OKPKey:
        kind: type[ECKey] | type[OKPKey] = ECKey if self.algorithm == "ES256" else OKPKey
        return kind.import_key(self._key)  # type: ignore[arg-type]


def open_envelope(message: bytes) -> Envelope:
    """Take a compact JWS apart without believing it; raises EnvelopeError (TOO_LARGE, NOT_JWS)."""
    if len(message) > MAX_BYTES:
        raise EnvelopeError(RejectReason.TOO_LARGE, f"{len(message)} bytes; the bound is {MAX_BYTES}")
    if not _COMPACT.fullmatch(message):
        raise EnvelopeError(RejectReason.NOT_JWS, "expected three base64url parts with dots between them")
    head, payload, signature = message.split(b".")
    try:
        header = orjson.loads(_decode(head))
        return Envelope(
            algorithm=_text(header, "alg"),
            kid=_text(header, "kid"),
            payload=_decode(payload),
            signed=message[: len(head) + 1 + len(payload)],
            signature=_decode(signature),
        )
    except (binascii.Error, orjson.JSONDecodeError) as error:
        raise EnvelopeError(RejectReason.NOT_JWS, f"cannot be decoded: {error}") from None


def _text(header: Any, name: Literal["alg", "kid"]) -> str:
    if not isinstance(header, dict) or not _HEADER_FIELDS.issuperset(header):
        raise EnvelopeError(RejectReason.NOT_JWS, "the header must be an object with alg, kid and at most typ")
    value = header.get(name)
    if not isinstance(value, str):
        raise EnvelopeError(RejectReason.NOT_JWS, f"the header needs a text {name!r}")
    return value


def _der(signature: bytes) -> bytes:
    """JOSE writes an ECDSA signature as r‖s of 32 bytes each; OpenSSL wants it in DER."""
    if len(signature) != 64:
        raise ValueError("an ES256 signature has 64 bytes")
    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def _number(text: str) -> int:
    return int.from_bytes(_decode(text), "big")


def _decode(text: bytes | str) -> bytes:
    raw = text.encode("ascii") if isinstance(text, str) else text
    return urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))


def _encode(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")
