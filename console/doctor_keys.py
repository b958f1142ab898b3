"""The doctor at the keys of this machine: are they there, whole, and nobody else's to read?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from agents.gateways.errors import NotSent
from agents.gateways.secrets_named import secret_names, try_secrets
from console.doctor_findings import Finding, fail, ok
from schemas.gateway import Gateway
from streams.keyring import (
    KeyFileError,
    load_sealing_key,
    load_trusted,
    owned,
    read_private,
    read_public,
    server_key_file,
    server_public_file,
)
from streams.pin_keys import load_pin_key
from streams.settings import Settings


def look_at_keys(settings: Settings) -> list[Finding]:
    """`keys.server`, `keys.trusted` and `keys.files`."""
    return [_server(settings), _trusted(settings), _files(settings)]


def judge_credentials(secrets_dir: Path, gateways: Iterable[Gateway]) -> Finding:
    """`keys.gateways`: every secret that a gateway's record names is here, and will do."""
    wrong, secrets = [], 0
    for gateway in gateways:
        names = secret_names(gateway)
        secrets += len(names)
        try:
            try_secrets(gateway, secrets_dir)
        except NotSent as error:
            wrong.append(f"gateway {gateway.id}: {error.comment}")
            continue
        open_ones = [secrets_dir / name for name in names if (secrets_dir / name).stat().st_mode & 0o077]
        wrong += [f"gateway {gateway.id}: {path} is open to others" for path in open_ones]
    if wrong:
        advice = f"see docs/gateways for what belongs into {secrets_dir}, mode 600; its payments wait until then"
        return fail("keys.gateways", "; ".join(wrong), advice)
    if not secrets:
        return ok("keys.gateways", "no gateway needs a secret")
    return ok("keys.gateways", f"{secrets} secrets in {secrets_dir}")


def _server(settings: Settings) -> Finding:
    try:
        key = read_private(server_key_file(settings))
        if read_public(server_public_file(settings)).jwk != key.public().jwk:
            said = f"{server_public_file(settings)} is not the public half of {server_key_file(settings)}"
            return fail("keys.server", said, "remove the wrong one; `kassa init` makes the public half anew")
    except KeyFileError as error:
        return _told("keys.server", error)
    return ok("keys.server", f"{key.kid} in {server_key_file(settings)}")


def _trusted(settings: Settings) -> Finding:
    try:
        trusted = load_trusted(settings)
    except KeyFileError as error:
        return _told("keys.trusted", error)
    if not trusted:
        said = f"{settings.keys / 'trusted'} is empty: nobody may command, and workers do not start"
        return fail("keys.trusted", said, "run `kassa init`, or copy an operator's public key there")
    return ok("keys.trusted", ", ".join(trusted))


def _files(settings: Settings) -> Finding:
    private = [path for kind in ("operators", "terminals") for path in sorted((settings.keys / kind).glob("*.jwk"))]
    try:
        for path in private:
            read_private(path)
        for terminal in owned(settings, "sealing"):
            load_sealing_key(settings, terminal)
        for kid in owned(settings, "vouchers"):
            load_pin_key(settings, kid)
    except KeyFileError as error:
        return _told("keys.files", error)
    if settings.keys.is_dir() and settings.keys.stat().st_mode & 0o022:
        return fail("keys.files", f"others may write to {settings.keys}", f"chmod 700 {settings.keys}")
    return ok("keys.files", f"{len(private)} private keys of operators and terminals")


def _told(check: str, error: KeyFileError) -> Finding:
    """The error says "<what is wrong>: <what to do>"."""
    said, _, advice = str(error).rpartition(": ")
    return fail(check, said or advice, advice if said else "make it anew, or copy it from where it is")
