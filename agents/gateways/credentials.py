"""Secrets of gateways: one small file each, named in the record, never the secret itself."""

from __future__ import annotations

import ssl
from base64 import b64encode
from pathlib import Path

from agents.gateways.errors import NotSent

MAX_SECRET_BYTES = 4096


def secret_file(secrets_dir: Path, name: str, limit: int = MAX_SECRET_BYTES) -> bytes:
    """What is in this file, at most `limit` bytes. Raises NotSent where there is no such file, or more in it.

    The comment names the file and never shows what is in it.
    """
    if not _is_file_name(name):
        raise NotSent("no-credentials", "the credentials' name is not that of a file under the keys directory")
    try:
        with (secrets_dir / name).open("rb") as file:
            secret = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise NotSent("no-credentials", f"cannot read the secret {name!r}: {type(error).__name__}") from None
    if len(secret) > limit:
        raise NotSent("no-credentials", f"the secret {name!r} is longer than {limit} bytes")
    return secret


def one_line(secrets_dir: Path, name: str) -> bytes:
    """The file's one line, without its end. Raises NotSent when it holds no line or several."""
    line = secret_file(secrets_dir, name).removesuffix(b"\n").removesuffix(b"\r")
    if not line or b"\n" in line:
        raise NotSent("no-credentials", f"the secret {name!r} is not one line")
    return line


def basic_auth(secrets_dir: Path, name: str) -> str:
    """The value of an HTTP Basic `Authorization` header from the file's one line "user:password", UTF-8.

    Raises NotSent when there is no such file or it does not hold that: without it nothing may be sent.
    """
    secret = one_line(secrets_dir, name)
    user, colon, _ = secret.partition(b":")
    if not (user and colon):
        raise NotSent("no-credentials", f"the secret {name!r} is not one line user:password")
    return "Basic " + b64encode(secret).decode("ascii")


def load_client_certificate(tls: ssl.SSLContext, secrets_dir: Path, name: str) -> None:
    """Show payees the certificate in this PEM file, with its key, which has no password.

    Raises NotSent when there is no such file or it does not hold that.
    """
    if not _is_file_name(name):
        raise NotSent("no-certificate", "the certificate's name is not that of a file under the keys directory")
    try:
        tls.load_cert_chain(secrets_dir / name, password="")  # without one, OpenSSL would ask at the terminal
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = f"cannot use the certificate {name!r}: {type(error).__name__}"
        raise NotSent("no-certificate", reason) from None


def _is_file_name(name: str) -> bool:
    return Path(name).name == name and name not in {"", ".."}
