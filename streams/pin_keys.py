"""Keys of PINs in files: keys/vouchers/<kid>.jwk, on the machines of workers and of whoever loads batches.

Neither Kafka nor ClickHouse has one. A batch names the key it is under, so that another may follow for the next: a key
is needed until the last PIN under it needs no printing again.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from schemas.pin_seal import PinKey
from schemas.voucher import PinKeyId
from streams.keyring import KeyFileError, ensure_file, read_secret
from streams.settings import Settings

_KID: TypeAdapter[str] = TypeAdapter(PinKeyId)


def pin_key_file(settings: Settings, kid: str) -> Path:
    return settings.keys / "vouchers" / f"{kid}.jwk"


def ensure_pin_key(settings: Settings, kid: str) -> PinKey:
    """The key with this id on this machine, made where there is none. Raises KeyFileError."""
    try:
        _KID.validate_python(kid)  # it becomes a file's name
    except ValidationError:
        raise KeyFileError(f"{kid[:40]!r} is no key's id: small letters, digits and '-', at most 20") from None
    path = pin_key_file(settings, kid)
    ensure_file(path, PinKey.generate(kid).dump())
    return load_pin_key(settings, kid)


def load_pin_key(settings: Settings, kid: str) -> PinKey:
    """Raises KeyFileError, which never quotes what is in the file."""
    path = pin_key_file(settings, kid)
    try:
        key = PinKey.load(read_secret(path))
    except ValueError:
        raise KeyFileError(f"{path} is not a key of PINs") from None
    if key.kid != kid:
        raise KeyFileError(f"{path} holds key {key.kid}: rename it to {key.kid}.jwk")
    return key


class PinKeys:
    """The keys this machine has now: one that is copied to it counts at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loaded: dict[str, PinKey] = {}

    def ids(self) -> frozenset[str]:
        """Of all that can be used."""
        here = {path.stem for path in (self._settings.keys / "vouchers").glob("*.jwk")}
        return frozenset(kid for kid in here if self.find(kid) is not None)

    def find(self, kid: str) -> PinKey | None:
        """None: it is not here, or its file cannot be used."""
        if kid not in self._loaded:
            try:
                self._loaded[kid] = load_pin_key(self._settings, kid)
            except KeyFileError:
                return None
        return self._loaded[kid]
