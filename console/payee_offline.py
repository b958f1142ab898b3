"""How `kassa payee add` says that a payee is served offline."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from console.errors import BadInput
from schemas.offline import FileDrop, HttpUpload, MailDrop, OfflineTerms

_WANTED = "file:DIRECTORY, mail:ADDRESS, an http(s) address to PUT to, or post+http(s)://…"


class Form(StrEnum):
    """tsv: the field's tab-separated text with its Total line; csv: semicolons, a header and totals; xlsx: the same."""

    TSV = "tsv"
    CSV = "csv"
    XLSX = "xlsx"


def terms_of(
    cut_off: str | None, to: str | None, form: Literal["tsv", "csv", "xlsx"], credentials: str | None
) -> OfflineTerms | None:
    """None: it is served online. Raises BadInput, and ValidationError from the terms themselves."""
    if cut_off is None and to is None:
        if credentials is not None:
            raise BadInput("--registry-credentials is for a payee with --registry-to an http(s) address")
        return None
    if cut_off is None or to is None:
        raise BadInput("a payee that is served offline needs both --cut-off and --registry-to")
    return OfflineTerms(cut_off=cut_off, form=form, delivery=_delivery(to, credentials))


def _delivery(to: str, credentials: str | None) -> FileDrop | MailDrop | HttpUpload:
    way, _, where = to.partition(":")
    if way in ("http", "https"):
        return HttpUpload(url=to, credentials=credentials)
    if way in ("post+http", "post+https"):
        return HttpUpload(url=to.removeprefix("post+"), method="POST", credentials=credentials)
    if credentials is not None:
        raise BadInput("--registry-credentials is for a payee with --registry-to an http(s) address")
    if way == "file" and where:
        return FileDrop(directory=where)
    if way == "mail" and where:
        return MailDrop(address=where)
    raise BadInput(f"--registry-to {to!r} is none of {_WANTED}")
