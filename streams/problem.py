"""What an HTTP address of ours says when it has no answer: problem details, RFC 9457."""

from __future__ import annotations

from http import HTTPStatus

import orjson

MEDIA_TYPE = "application/problem+json"


def problem(status: int, detail: str) -> bytes:
    """The body. detail: what was wrong and what to do, one sentence."""
    return orjson.dumps({"title": HTTPStatus(status).phrase, "status": status, "detail": detail}) + b"\n"
