"""Secrets of gateways: one small file each, named in the record, never the secret itself."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from agents.gateways.errors import NotSent

MAX_SECRET_BYTES = 4096


def basic_auth(secrets_dir: Path, name: str) -> str:
    """The value of an HTTP Basic `Authorization` header from the file's one line "user:password", UTF-8.

    Raises NotSent when there is no such file or it does not hold that: without it nothing may be sent. The comment
    names the file and never shows what is in it.
    """
    if Path(name).name != name or name in {"", ".."}:
        raise NotSent("no-credentials", "the credentials' name is not that of a file under the keys directory")
    try:
        with (secrets_dir / name).open("rb") as file:
            secret = file.read(MAX_SECRET_BYTES + 1).removesuffix(b"\n").removesuffix(b"\r")
    except (OSError, ValueError) as error:
        raise NotSent("no-credentials", f"cannot read the secret {name!r}: {type(error).__name__}") from None
    user, colon, _ = secret.partition(b":")
    if not (user and colon) or len(secret) > MAX_SECRET_BYTES or b"\n" in secret:
        raise NotSent("no-credentials", f"the secret {name!r} is not one line user:password")
    return "Basic " + b64encode(secret).decode("ascii")
