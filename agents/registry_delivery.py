"""How a registry's file reaches its payee: as a file, in a mail, over HTTP.

A try ends with the words for the ledger, or with NotDelivered: then it is made again, with the same name and the same
bytes. Addresses and what a receiver says stay out of its text; names and statuses are in it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import httpx

from agents.delivery_errors import NotDelivered
from agents.gateways.credentials import basic_auth
from agents.gateways.errors import NotSent
from agents.mail import Mailer
from agents.outgoing import outgoing
from schemas.ids import ms_instant
from schemas.offline import FileDrop, HttpUpload, MailDrop
from schemas.registry import RegistryCut, registry_name
from streams.settings import Settings

_TYPES = {
    "tsv": "text/tab-separated-values",
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A registry that is to be delivered. content: the whole file."""

    payee: str
    number: int
    cut: RegistryCut
    content: bytes

    @property
    def name(self) -> str:
        return registry_name(self.payee, self.number, self.cut.form)

    @property
    def media_type(self) -> str:
        return _TYPES[self.cut.form]

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()


class RegistryDelivery:
    """Belongs to the event loop it is first used in. tls: whom to trust; by default the system's authorities."""

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._mailer = Mailer(settings, tls)
        self._time_out_s = settings.notify_time_out_ms / 1000
        self._client = outgoing(self._time_out_s, tls)

    async def deliver(self, parcel: Parcel, to: FileDrop | MailDrop | HttpUpload) -> str:
        """Bring it there; how that was, for the ledger. Raises NotDelivered."""
        match to:
            case FileDrop():
                return await _in_a_thread(lambda: self._drop(parcel, to))
            case MailDrop():
                return await _in_a_thread(lambda: self._mail(parcel, to))
            case HttpUpload():
                return await self._upload(parcel, to)

    async def aclose(self) -> None:
        await self._client.aclose()

    def _drop(self, parcel: Parcel, to: FileDrop) -> str:
        directory = self._settings.registries / to.directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            _write_whole(directory / parcel.name, parcel.content)
        except OSError as error:
            raise NotDelivered(f"the file cannot be written: {error.strerror or type(error).__name__}") from None
        return f"file {to.directory}/{parcel.name}"

    def _mail(self, parcel: Parcel, to: MailDrop) -> str:
        self._mailer.hand_over(mail_of(parcel, to.address, self._settings.smtp_from))
        return f"mail {parcel.name}"

    async def _upload(self, parcel: Parcel, to: HttpUpload) -> str:
        url = f"{to.url.rstrip('/')}/{parcel.name}" if to.method == "PUT" else to.url
        headers = headers_of(parcel)
        if to.credentials is not None:
            try:
                headers["Authorization"] = basic_auth(self._settings.keys / "gateways", to.credentials)
            except NotSent as error:
                raise NotDelivered(str(error)) from None
        try:
            async with (
                asyncio.timeout(self._time_out_s),
                self._client.stream(to.method, url, content=parcel.content, headers=headers) as response,
            ):
                status = response.status_code  # the reply's body is not read at all
        except TimeoutError:
            raise NotDelivered(f"no reply within {self._time_out_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotDelivered(f"the upload: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise NotDelivered(f"the receiver answered {status}")
        return f"http {to.method} {parcel.name}: {status}"


def headers_of(parcel: Parcel) -> dict[str, str]:
    """The same at each try; the digest is RFC 9530's."""
    return {
        "Content-Type": parcel.media_type,
        "Content-Disposition": f'attachment; filename="{parcel.name}"',
        "Content-Digest": f"sha-256=:{b64encode(bytes.fromhex(parcel.sha256)).decode()}:",
        "Idempotency-Key": f"{parcel.payee}-{parcel.number}",
        "User-Agent": "kassa",
    }


def mail_of(parcel: Parcel, address: str, sender: str) -> EmailMessage:
    """Its Message-ID is the registry's, so what is sent twice can be seen to be one message."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = address
    message["Subject"] = f"Registry {parcel.number} of {parcel.payee}"
    message["Message-ID"] = f"<registry.{parcel.payee}.{parcel.number}@{sender.rpartition('@')[2]}>"
    message["Date"] = ms_instant(parcel.cut.until)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"Registry {parcel.number} of {parcel.payee}: {parcel.cut.lines} payments, cut "
        f"{ms_instant(parcel.cut.until):%Y-%m-%d %H:%M:%S} UTC.\nSHA-256 of {parcel.name}: {parcel.sha256}\n"
    )
    main, _, sub = parcel.media_type.partition("/")
    message.add_attachment(parcel.content, maintype=main, subtype=sub, filename=parcel.name)
    return message


def _write_whole(path: Path, content: bytes) -> None:
    """It is there whole or not at all, also after a power cut."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _in_a_thread(work: Callable[[], _Found]) -> Awaitable[_Found]:
    return asyncio.get_running_loop().run_in_executor(None, work)
