"""Signed key=value messages: lines of text between BEGIN and END, and a signature of exactly those bytes below.

    BEGIN
    SESSION=1234567
    ERROR=0
    END
    BEGIN SIGNATURE
    MEUCIQD…
    END SIGNATURE

Lines end with CR LF and are windows-1251. What is signed is what stands between BEGIN and END, without the line ends
next to them. Read: either line end is taken, the signature is looked at before anything else is.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from urllib.parse import quote_from_bytes

from agents.gateways.errors import NotSent
from agents.gateways.rsa_keys import Signer, Verifier
from agents.gateways.xml_reply import BrokenReply

CHARSET = "windows-1251"
FORM_FIELD = "inputmessage"
CONTENT_TYPE = "application/x-www-form-urlencoded"
MAX_LINES = 100

_EOL = b"\r\n"
_SIGNATURE_WIDTH = 64
_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,31}", re.ASCII)
_ENVELOPE = re.compile(
    rb"\s*BEGIN\r?\n(?P<text>.*?)\r?\nEND\r?\nBEGIN SIGNATURE\r?\n(?P<signature>[A-Za-z0-9+/=\r\n]{1,4096})\r?\n"
    rb"END SIGNATURE\s*",
    re.DOTALL,
)


class WrongSignature(ValueError):
    """Not signed with the key it must be signed with, or not at all: nothing of it may be believed."""


def write(lines: Iterable[tuple[str, str]], signer: Signer) -> bytes:
    """The signed message. Raises NotSent for a value that would be another line, or is none of the charset's."""
    text = _EOL.join(_line(key, value) for key, value in lines)
    signature = b64encode(signer.sign(text))
    rows = [signature[start : start + _SIGNATURE_WIDTH] for start in range(0, len(signature), _SIGNATURE_WIDTH)]
    return _EOL.join([b"BEGIN", text, b"END", b"BEGIN SIGNATURE", *rows, b"END SIGNATURE", b""])


def form(message: bytes) -> bytes:
    """The message as the body of an HTML form, which is how the protocol sends it."""
    return f"{FORM_FIELD}={quote_from_bytes(message, safe='')}".encode("ascii")


def read(body: bytes, verifier: Verifier) -> dict[str, str]:
    """The lines of a message that is signed with this key.

    Raises WrongSignature, or BrokenReply where something is signed that is not lines of text with keys of their own.
    """
    envelope = _ENVELOPE.fullmatch(body)
    if envelope is None:
        raise WrongSignature("the reply is no signed message")
    try:
        signature = b64decode(re.sub(rb"[\r\n]", b"", envelope["signature"]), validate=True)
    except binascii.Error:
        raise WrongSignature("the reply's signature is not base64") from None
    if not verifier.is_signed(envelope["text"], signature):
        raise WrongSignature("the reply is not signed with the payee's key")
    return _values(envelope["text"])


def _values(text: bytes) -> dict[str, str]:
    lines = text.split(b"\n")
    if len(lines) > MAX_LINES:
        raise BrokenReply("the reply has too many lines")
    values: dict[str, str] = {}
    for line in lines:
        try:
            key, equals, value = line.removesuffix(b"\r").decode(CHARSET).partition("=")
        except UnicodeDecodeError:
            raise BrokenReply(f"the reply is not in {CHARSET}") from None
        if not equals or _KEY.fullmatch(key) is None or key in values:
            raise BrokenReply("a line of the reply has no key, or one that is there twice")
        values[key] = value
    return values


def _line(key: str, value: str) -> bytes:
    if _KEY.fullmatch(key) is None:
        raise NotSent("bad-field", f"the payee's field {key!r} cannot be the key of a line")
    if not value.isprintable():
        raise NotSent("bad-field", "a field of the subscriber has a line end or other control character")
    try:
        return f"{key}={value}".encode(CHARSET)
    except UnicodeEncodeError:
        raise NotSent("bad-field", f"a field of the subscriber cannot be written in {CHARSET}") from None
