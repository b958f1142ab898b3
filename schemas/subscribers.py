"""A payee's own list of its subscribers, uploaded to be looked up before payment: its rows, and the record of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.ids import FieldValue, Instant, PayeeId, PositiveMinor, ShortText, Wire
from schemas.tracking import MAX_DENOMINATIONS, MAX_SHOWN, Debt, ShownField, ShownText

# Rows of one record on topic `subscribers` take at most this much together, so that it fits whatever a broker allows.
MAX_CHUNK_BYTES = 512 * 1024
MAX_ROWS = 1_048_576

UploadId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,40}$")]


class SubscriberRow(Wire):
    """One subscriber, one line of a record on topic `subscribers`, JSON without what is not given. Minor units."""

    number: Annotated[FieldValue, Field(description="the payee's first field")]
    name: ShownText = ""
    debt: Annotated[Debt | None, Field(description="what is owed as of the list; none: not told")] = None
    denominations: Annotated[tuple[PositiveMinor, ...], Field(max_length=MAX_DENOMINATIONS)] = ()
    shown: Annotated[tuple[ShownField, ...], Field(max_length=MAX_SHOWN)] = ()


class SubscriberList(Wire):
    """Directory record, topic `subscriber_lists`, key: the payee's id. The list in force is the one it names.

    Its rows are on topic `subscribers`, keys "<payee>/<upload>/<number of the record>", from 0. Whoever reads them
    holds them against `rows` and `digest` before they are used.
    """

    payee: PayeeId
    upload: UploadId
    chunks: Annotated[int, Field(ge=1, le=1_000_000, description="records of the upload")]
    rows: Annotated[int, Field(ge=1, le=MAX_ROWS)]
    digest: Annotated[
        str,
        StringConstraints(pattern=r"^[0-9a-f]{32}$"),
        Field(description="BLAKE2b-128 of the records' values, in order"),
    ]
    first_offset: Annotated[int, Field(ge=0, description="where on the topic to begin to look for them")] = 0
    as_of: Annotated[
        Instant | None,
        Field(description="payments received from then on are not in its debts; none in an order: when it is decided"),
    ] = None
    file: Annotated[ShortText, Field(description="the name of the file it came from")]


def chunk_key(payee: str, upload: str, number: int) -> str:
    """The key of a record of rows."""
    return f"{payee}/{upload}/{number}"
