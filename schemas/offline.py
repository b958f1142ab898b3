"""How a payee is served offline: when its registry is cut, in which form, and where it is delivered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.contact import MailAddress
from schemas.cron import Cron
from schemas.ids import Instant, Wire

# tsv: the field's tab-separated text with its Total line; csv: semicolons, a header and totals; xlsx: the same table.
RegistryForm = Literal["tsv", "csv", "xlsx"]


class FileDrop(Wire):
    """The file appears, whole, in a directory of the worker's machine that the payee, or its SFTP server, reads."""

    by: Literal["file"] = "file"
    directory: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"),
        Field(description="below the directory `registries` of the worker's own"),
    ]


class MailDrop(Wire):
    """One mail with the file attached, over the server of setting `smtp`."""

    by: Literal["mail"] = "mail"
    address: MailAddress


class HttpUpload(Wire):
    """PUT to <url>/<file name>, or POST to the url with the name in Content-Disposition; any 2xx is the receipt."""

    by: Literal["http"] = "http"
    url: Annotated[
        str,
        StringConstraints(pattern=r"^https?://[^\s@#/?]+(?:/[^\s#?]*)?$", max_length=500),
        Field(description="no user, no password, no query, no #fragment"),
    ]
    method: Literal["PUT", "POST"] = "PUT"
    credentials: Annotated[
        str | None,
        StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"),
        Field(description="name of a secret file user:password under keys/gateways, never the secret itself"),
    ] = None


class OfflineTerms(Wire):
    """A part of the payee's record. The time zone of cut-off and registry is the payee's."""

    cut_off: Annotated[Cron, Field(description="minute hour day month weekday, in the payee's time zone")]
    form: RegistryForm = "tsv"
    delivery: Annotated[FileDrop | MailDrop | HttpUpload, Field(discriminator="by")]
    since: Annotated[Instant | None, Field(description="the ledger's to give: no moment before it is a cut-off")] = None
