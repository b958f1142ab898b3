"""PINs at rest: AES-256-GCM under a key that is in files alone, bound to product, batch and serial.

A ciphertext that is moved to another serial does not open. The nonce is made from the PIN and its place with a second
key, so that a file loaded again gives the same commands to the last byte: the same PIN in the same place is the only
thing ever sealed under it twice. See docs/decisions/0022.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import TypeAdapter, ValidationError

from schemas.voucher import PinKeyId

_NONCE = 12
_KID: TypeAdapter[str] = TypeAdapter(PinKeyId)


class PinUnreadable(Exception):
    """A ciphertext that this key does not open in this place. The text says which PIN, never what is in it."""


@dataclass(frozen=True, slots=True)
class PinKey:
    """A key of PINs with its id. Kept in a file of mode 0600 as a private JWK; never on a topic or in a log."""

    kid: str
    _secret: bytes = field(repr=False)

    @classmethod
    def generate(cls, kid: str) -> PinKey:
        return cls(kid, secrets.token_bytes(32))

    @classmethod
    def load(cls, text: bytes) -> PinKey:
        """Read what `dump` wrote; raises ValueError on anything else, and says nothing of what it read."""
        try:
            stored = orjson.loads(text)
            kid, secret = _KID.validate_python(stored["kid"]), _decode(stored["k"])
            is_ours = (stored["kty"], stored["alg"], len(secret)) == ("oct", "A256GCM", 32)
        except (AttributeError, KeyError, TypeError, ValueError, ValidationError):
            is_ours = False
        if not is_ours:
            raise ValueError("not a key of PINs")
        return cls(kid, secret)

    def dump(self) -> bytes:
        """The private JWK as JSON, with `kid` and `alg`."""
        return orjson.dumps({"kty": "oct", "k": _encode(self._secret), "kid": self.kid, "alg": "A256GCM"})

    def seal(self, payee: str, batch: str, serial: str, pin: str) -> str:
        """What travels of a PIN: nonce and ciphertext, base64url."""
        place = _place(payee, batch, serial)
        nonce = hmac.digest(self._part(b"nonce"), place + b"\n" + pin.encode(), "sha256")[:_NONCE]
        return _encode(nonce + AESGCM(self._part(b"cipher")).encrypt(nonce, pin.encode(), place))

    def open(self, payee: str, batch: str, serial: str, sealed: str) -> str:
        """The PIN. Raises PinUnreadable."""
        try:
            raw = _decode(sealed)
            return (
                AESGCM(self._part(b"cipher")).decrypt(raw[:_NONCE], raw[_NONCE:], _place(payee, batch, serial)).decode()
            )
        except (InvalidTag, ValueError):
            raise PinUnreadable(f"PIN {serial} of batch {batch} of {payee} does not open with key {self.kid}") from None

    def _part(self, use: bytes) -> bytes:
        """One key for each use."""
        return hmac.digest(self._secret, b"kassa/vouchers/" + use, sha256)


def _place(payee: str, batch: str, serial: str) -> bytes:
    """No part can have a line break."""
    return f"{payee}\n{batch}\n{serial}".encode()


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
