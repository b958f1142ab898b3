"""JWE compact (RFC 7516): a secret that one terminal alone can open. ECDH-ES+A256KW over X25519, A256GCM.

The algorithms are ours, not the message's: what names others is not opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import orjson
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import StringConstraints

from schemas.ids import Wire
from schemas.keys import KeyId

_ALGORITHM, _CONTENT = "ECDH-ES+A256KW", "A256GCM"
_ALLOWED = [_ALGORITHM, _CONTENT]


class NotSealed(ValueError):
    """It cannot be opened with this key. The text says nothing of what is in it."""


class SealingKey(Wire):
    """A terminal's public encryption key (RFC 8037), as its record has it. Its private half never leaves it."""

    kid: KeyId
    kty: Literal["OKP"] = "OKP"
    crv: Literal["X25519"] = "X25519"
    x: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]

    def seal(self, secret: bytes) -> str:
        """A compact JWE for the terminal; raises ValueError when this is no point of the curve."""
        key = OKPKey.import_key({"kty": self.kty, "crv": self.crv, "x": self.x})
        header = {"alg": _ALGORITHM, "enc": _CONTENT, "kid": self.kid}
        return jwe.encrypt_compact(header, secret, key, algorithms=_ALLOWED)


@dataclass(frozen=True, slots=True)
class OpeningKey:
    """Its private half with its id. Kept in a file of mode 0600 as a private JWK; never on a topic or in a log."""

    kid: str
    _key: OKPKey = field(repr=False)

    @classmethod
    def generate(cls, kid: str) -> OpeningKey:
        return cls(kid, OKPKey.generate_key("X25519"))

    @classmethod
    def load(cls, text: bytes) -> OpeningKey:
        """Read what `dump` wrote; raises ValueError on anything else."""
        try:
            stored = orjson.loads(text)
            kid, curve = stored.pop("kid"), stored["crv"]
            key = OKPKey.import_key(stored)
        except (AttributeError, KeyError, TypeError, JoseError) as error:
            raise ValueError(f"not an encryption key file: {type(error).__name__}") from None
        if curve != "X25519" or not key.is_private:
            raise ValueError("not a private key on X25519")
        return cls(kid, key)

    def dump(self) -> bytes:
        """The private JWK as JSON, with `kid`."""
        return orjson.dumps({**self._key.as_dict(private=True), "kid": self.kid})

    def public(self) -> SealingKey:
        return SealingKey(kid=self.kid, x=str(self._key.as_dict(private=False)["x"]))

    def open(self, sealed: str) -> bytes:
        """What was sealed to it. Raises NotSealed."""
        try:
            plaintext = jwe.decrypt_compact(sealed, self._key, algorithms=_ALLOWED).plaintext
        except (JoseError, ValueError) as error:
            raise NotSealed(f"it does not open with key {self.kid}: {type(error).__name__}") from None
        if plaintext is None:
            raise NotSealed(f"there is nothing in it for key {self.kid}")
        return plaintext
