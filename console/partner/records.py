"""Who may pay through this endpoint: a file a partner under keys/partners, with its password as a scrypt hash only."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

import orjson
from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from console.errors import BadInput
from schemas.ids import TerminalId, Wire
from streams.keyring import KeyFileError
from streams.settings import Settings

# What a guess costs: 16 MB and some 50 ms.
_N, _R, _P = 1 << 14, 8, 1
MOST_PASSWORD = 200


def _is_network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise ValueError(f"not an IP address or network: {error}") from None


Network = Annotated[str, AfterValidator(_is_network)]
PartnerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]


class Partner(Wire):
    """One file. `id` is the user of HTTP Basic; `salt` and `hash` are base64."""

    id: PartnerId
    terminal: TerminalId
    salt: str
    hash: str
    allowed: Annotated[
        tuple[Network, ...], Field(max_length=100, description="where it may come from; empty: from anywhere")
    ] = ()
    charset: Annotated[Literal["utf-8", "cp1251"], Field(description="of its questions and our answers")] = "utf-8"

    def is_password(self, password: bytes) -> bool:
        """Takes some 50 ms, whatever the answer."""
        return hmac.compare_digest(_hash(password, b64decode(self.salt)), b64decode(self.hash))


def a_partner(id: str, terminal: str, password: str, allowed: list[str], charset: str) -> Partner:
    """Raises BadInput, ValidationError."""
    if not 12 <= len(password) <= MOST_PASSWORD or not password.isprintable():
        raise BadInput(f"a password has 12 to {MOST_PASSWORD} printable characters")
    salt = secrets.token_bytes(16)
    return Partner.model_validate(
        {
            "id": id,
            "terminal": terminal,
            "salt": b64encode(salt).decode(),
            "hash": b64encode(_hash(password.encode(), salt)).decode(),
            "allowed": tuple(allowed),
            "charset": charset,
        }
    )


def partners_place(settings: Settings) -> Path:
    return settings.keys / "partners"


def partner_file(settings: Settings, partner: str) -> Path:
    return partners_place(settings) / f"{partner}.json"


def keep(settings: Settings, partner: Partner) -> Path:
    """Write its file, readable by its owner alone, whole or not at all."""
    path = partner_file(settings, partner.id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(orjson.dumps(partner.model_dump(mode="json"), option=orjson.OPT_INDENT_2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return path


def partners(settings: Settings) -> dict[str, Partner]:
    """By id. Raises KeyFileError when one of the files cannot be used."""
    return {one.id: one for one in _read(settings)}


def _read(settings: Settings) -> Iterator[Partner]:
    for path in sorted(partners_place(settings).glob("*.json")):
        if path.stat().st_mode & 0o077:
            raise KeyFileError(f"{path} is open to others: chmod 600 {path}")
        try:
            partner = Partner.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            raise KeyFileError(f"{path} is no partner's file: make it with `kassa partner add`") from None
        if partner.id != path.stem:
            raise KeyFileError(f"{path} is the file of partner {partner.id}: rename it")
        yield partner


def _hash(password: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=_N, r=_R, p=_P, maxmem=64 << 20, dklen=32)
