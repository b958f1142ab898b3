"""Keys on disk: who may command this installation, what it answers with, and this machine's own signing keys.

keys/                     0700
  server.jwk              0600  the workers' key for replies      server.pub.json   its public half
  operators/<id>.jwk      0600  an operator's key of this machine
  trusted/<kid>.json            public operator keys a worker believes from its first start: the root of trust
  terminals/<id>.jwk      0600  keys of terminals enrolled on this machine
  sealing/<id>.jwk        0600  what secrets for these terminals are opened with
  vouchers/<kid>.jwk      0600  keys of PINs: on workers, and where batches are loaded (see pin_keys.py)
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.envelope import SigningKey, VerifyingKey
from schemas.ids import OperatorId, TerminalId
from schemas.keys import SERVER_KID, Algorithm, PublicKey
from schemas.sealing import OpeningKey
from streams.settings import Settings

_NEXT = ".next"
_INIT = "`kassa init`"
_MAKERS = {
    "terminals": "`kassa terminal enroll`",
    "sealing": "`kassa terminal enroll`",
    "operators": "`kassa operator add`, or for root `kassa init`,",
    "vouchers": "`kassa voucher key`",
}
_OWNER: TypeAdapter[str] = TypeAdapter(OperatorId | TerminalId)


class KeyFileError(Exception):
    """A key file is missing, unreadable or unsafe; the text names the file and what to do, never what is in it."""


def server_key_file(settings: Settings) -> Path:
    return settings.keys / "server.jwk"


def server_public_file(settings: Settings) -> Path:
    return settings.keys / "server.pub.json"


def operator_key_file(settings: Settings, operator: str) -> Path:
    return settings.keys / "operators" / f"{_owner(operator)}.jwk"


def terminal_key_file(settings: Settings, terminal: str) -> Path:
    return settings.keys / "terminals" / f"{_owner(terminal)}.jwk"


def trusted_file(settings: Settings, kid: str) -> Path:
    return settings.keys / "trusted" / f"{kid}.json"


def ensure_server_key(settings: Settings) -> SigningKey:
    """The key replies are signed with; made, with its public half beside it, where there is none."""
    key = _ensure(server_key_file(settings), SERVER_KID, "EdDSA")
    public = server_public_file(settings)
    if not public.exists():
        write_public(public, key.public())
    elif read_public(public).jwk != key.public().jwk:
        raise KeyFileError(f"{public} is not the public half of {server_key_file(settings)}: remove the wrong one")
    return key


def ensure_operator_key(settings: Settings, operator: str = "root", *, trust: bool = True) -> SigningKey:
    """The operator's key of this machine. One made here is put among the trusted, unless it is to be introduced by

    an operator who is trusted already; one that was there is left as it is.
    """
    path = operator_key_file(settings, operator)
    is_new = not path.exists()
    key = _ensure(path, f"{operator}:1", "EdDSA")
    if is_new and trust:
        write_public(trusted_file(settings, key.kid), key.public())
    return key


def ensure_terminal_key(settings: Settings, terminal: str, algorithm: Algorithm = "EdDSA") -> SigningKey:
    """The terminal's key kept on this machine, made where there is none. An existing key keeps its algorithm."""
    return _ensure(terminal_key_file(settings, terminal), f"{terminal}:1", algorithm)


def next_terminal_key(settings: Settings, terminal: str, number: int, algorithm: Algorithm = "EdDSA") -> SigningKey:
    """The key that is to follow the terminal's present one, kept beside it until `adopt_next_terminal_key`.

    Asked for again before that, it is the same key: an enrolment that was interrupted can be finished.
    """
    path = terminal_key_file(settings, terminal)
    return _ensure(path.with_name(f"{path.name}{_NEXT}"), f"{terminal}:{number}", algorithm)


def adopt_next_terminal_key(settings: Settings, terminal: str) -> None:
    """From now on the terminal signs with its next key; the present private key is gone."""
    path = terminal_key_file(settings, terminal)
    path.with_name(f"{path.name}{_NEXT}").replace(path)


def sealing_key_file(settings: Settings, terminal: str) -> Path:
    return settings.keys / "sealing" / f"{_owner(terminal)}.jwk"


def ensure_sealing_key(settings: Settings, terminal: str) -> OpeningKey:
    """What secrets for the terminal are opened with, made where there is none."""
    ensure_file(sealing_key_file(settings, terminal), OpeningKey.generate(f"{terminal}:1").dump())
    return load_sealing_key(settings, terminal)


def load_sealing_key(settings: Settings, terminal: str) -> OpeningKey:
    """Raises KeyFileError."""
    path = sealing_key_file(settings, terminal)
    text = read_secret(path)
    try:
        return OpeningKey.load(text)
    except ValueError:
        raise KeyFileError(f"{path} is not a private JWK on X25519 with kid") from None


def load_server_public(settings: Settings) -> PublicKey:
    """What replies are verified with."""
    return read_public(server_public_file(settings))


def load_operator_key(settings: Settings, operator: str) -> SigningKey:
    """Raises KeyFileError."""
    return read_private(operator_key_file(settings, operator))


def load_terminal_key(settings: Settings, terminal: str) -> SigningKey:
    """Raises KeyFileError."""
    return read_private(terminal_key_file(settings, terminal))


def load_trusted(settings: Settings) -> dict[str, PublicKey]:
    """kid -> public key of every operator trusted from the start; empty where nobody is trusted yet.

    Raises KeyFileError when a file cannot be used: a worker must not start with half of its root of trust.
    """
    trusted: dict[str, PublicKey] = {}
    for path in sorted((settings.keys / "trusted").glob("*.json")):
        key = read_public(path)
        if key.kid != path.stem:
            raise KeyFileError(f"{path} holds key {key.kid}: rename it to {key.kid}.json")
        trusted[key.kid] = key
    return trusted


def owned(settings: Settings, kind: str) -> list[str]:
    """Whose private keys this machine holds; `kind` is a directory of them, such as "operators"."""
    return sorted(path.stem for path in (settings.keys / kind).glob("*.jwk"))


def read_private(path: Path) -> SigningKey:
    """A private key from its file; raises KeyFileError, also when others than its owner could read it."""
    text = read_secret(path)
    try:
        return SigningKey.load(text)
    except ValueError:
        # The parser's words may quote what it read, and what it read is a secret.
        raise KeyFileError(f"{path} is not a private JWK with kid and alg") from None


def read_secret(path: Path) -> bytes:
    """What a key file holds; raises KeyFileError, also when others than its owner could read it."""
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()
    except FileNotFoundError:
        raise KeyFileError(f"there is no key {path}: {_MAKERS.get(path.parent.name, _INIT)} makes one") from None
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}") from None
    if mode & 0o077:
        raise KeyFileError(f"{path} is open to others (mode {mode & 0o777:04o}): chmod 600 {path}")
    return text


def read_public(path: Path) -> PublicKey:
    """A public key from its file; raises KeyFileError when it is not one that verifies signatures."""
    try:
        key = PublicKey.model_validate_json(path.read_bytes())
        VerifyingKey.load(key)
    except FileNotFoundError:
        raise KeyFileError(f"there is no key {path}: copy it from the worker's machine or run `kassa init`") from None
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise KeyFileError(f"{path} is not a public key with kid, algorithm and jwk") from None
    return key


def write_public(path: Path, key: PublicKey) -> None:
    """Write a public key, readable by everybody, whole or not at all."""
    _directory(path.parent)
    text = orjson.dumps(key.model_dump(mode="json", exclude_none=True), option=orjson.OPT_INDENT_2)
    part = _written(path, text + b"\n", 0o644)
    part.replace(path)


def _ensure(path: Path, kid: str, algorithm: Algorithm) -> SigningKey:
    if not path.exists():
        ensure_file(path, SigningKey.generate(kid, algorithm).dump())
    return read_private(path)


def ensure_file(path: Path, text: bytes) -> None:
    """A key file with this content, which its owner alone can read; one that is there is left as it is."""
    if path.exists():
        return
    _directory(path.parent)
    part = _written(path, text + b"\n", 0o600)
    try:
        os.link(part, path)  # unlike a rename it fails when another process was first: its key stands
    except FileExistsError:
        pass
    finally:
        part.unlink()


def _written(path: Path, text: bytes, mode: int) -> Path:
    """A complete, synced file next to `path`, to be put in its place in one step."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KeyFileError(f"cannot write {part}: {error.strerror}") from None
    return part


def _directory(path: Path) -> None:
    keys = path if path.name == "keys" else path.parent
    try:
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise KeyFileError(f"cannot make {path}: {error.strerror}") from None


def _owner(name: str) -> str:
    """An id that is safe as a file name."""
    try:
        return _OWNER.validate_python(name)
    except ValidationError:
        raise KeyFileError(f"{name!r} is not an id: letters, digits, '-' and '_', at most 40") from None
