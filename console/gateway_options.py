"""What `kassa gateway add` is told in pairs, made the record's fields. A mistake is BadInput."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

from console.errors import BadInput
from schemas.gateway import Breaker, Meaning

_MEANINGS: tuple[Meaning, ...] = get_args(Meaning)


def address_of(url: str) -> str:
    """What a payee may be asked under: a host, and no secret, since records are for everybody to read."""
    try:
        parts = urlsplit(url)
        usable = parts.hostname and parts.port != 0 and url.isprintable()
    except ValueError:
        usable = False
    if not usable:
        raise BadInput("--url cannot be used: write https://host/path, with a port of 1 to 65535 if there is one")
    if "@" in parts.netloc or parts.fragment:
        raise BadInput("--url has a password or a #fragment: --credentials names the file of a password")
    return url


def named_file(option: str, name: str | None) -> str | None:
    """The name of a file under keys/gateways."""
    if name is not None and (Path(name).name != name or name == ".." or not name.isprintable()):
        raise BadInput(f"{option}: {name!r} is no name of a file in `gateways` under the workers' keys directory")
    return name


def options_of(given: Sequence[str] | None) -> dict[str, str]:
    """NAME=VALUE, each name once."""
    return _pairs(given, "--option", "NAME=VALUE")


def results_of(given: Sequence[str] | None) -> dict[str, Meaning]:
    """CODE=MEANING or STEP:CODE=MEANING, each code once."""
    results: dict[str, Meaning] = {}
    for code, said in _pairs(given, "--result", "CODE=MEANING").items():
        meaning = next((one for one in _MEANINGS if one == said), None)
        if meaning is None:
            raise BadInput(f"--result: {said!r} is none of {', '.join(_MEANINGS)}")
        results[code] = meaning
    return results


def breaker_of(given: str | None) -> Breaker | None:
    """FAILURES:MS."""
    if given is None:
        return None
    failures, colon, open_ms = given.partition(":")
    if not (colon and failures.isdecimal() and open_ms.isdecimal() and len(given) <= 20):
        raise BadInput(f"--breaker: {given!r} is not FAILURES:MS, such as 10:30000")
    return Breaker(failures=int(failures), open_ms=int(open_ms))


def _pairs(given: Sequence[str] | None, option: str, form: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise BadInput(f"{option}: {text!r} is not {form}")
        if name in pairs:
            raise BadInput(f"{option}: {name} is given twice")
        pairs[name] = value
    return pairs
