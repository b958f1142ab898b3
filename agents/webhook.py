"""Alerts by webhook: one JSON object is posted, signed as Standard Webhooks has it (https://www.standardwebhooks.com).

It goes to the address on file and nowhere else: no redirect is followed, no proxy of the environment is used. Of the
reply only the status counts.
"""

from __future__ import annotations

import asyncio
import binascii
import hashlib
import hmac
import ssl
import time
from base64 import b64decode, b64encode
from pathlib import Path

import httpx
import orjson

from agents.delivery_errors import NotDelivered, Undeliverable
from agents.outgoing import outgoing
from schemas.contact import Webhook
from schemas.delivery import Delivery
from streams.settings import Settings

SECRET_PREFIX = "whsec_"
_GONE = 410


class Poster:
    """Belongs to the event loop it is first used in. tls: whom to trust; by default the system's authorities."""

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._time_out_s = settings.notify_time_out_ms / 1000
        self._client = outgoing(self._time_out_s, tls)

    async def send(self, delivery: Delivery, webhook: Webhook) -> None:
        """Post it and have a 2xx. Raises NotDelivered, Undeliverable."""
        if not webhook.url.startswith("https://") and not self._settings.webhook_plain:
            raise Undeliverable("the webhook is not https (setting webhook_plain)")
        secret = secret_of(self._settings.keys / "notify" / webhook.secret)
        body = body_of(delivery)
        headers = signed_headers(delivery.id, int(time.time()), body, secret)
        try:
            async with (
                asyncio.timeout(self._time_out_s),
                self._client.stream("POST", webhook.url, content=body, headers=headers) as response,
            ):
                status = response.status_code  # the reply's body is not read at all
        except TimeoutError:
            raise NotDelivered(f"no reply within {self._time_out_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotDelivered(f"the webhook: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise (Undeliverable if status == _GONE else NotDelivered)(f"the webhook answered {status}")

    async def aclose(self) -> None:
        await self._client.aclose()


def body_of(delivery: Delivery) -> bytes:
    """`type`, `timestamp` and `data` (the alert), the same bytes at each try."""
    alert = delivery.alert.model_dump(mode="json")
    return orjson.dumps(
        {"type": f"alert.{'over' if delivery.alert.over else 'begin'}", "timestamp": alert["at"], "data": alert}
    )


def signed_headers(message_id: str, at_s: int, body: bytes, secret: bytes) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature` over "id.timestamp.body"."""
    signed = hmac.digest(secret, f"{message_id}.{at_s}.".encode() + body, hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "User-Agent": "kassa",
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": "v1," + b64encode(signed).decode(),
    }


def secret_of(path: Path) -> bytes:
    """The key in the file's one line, "whsec_" and base64. Raises NotDelivered: the file may be put right."""
    try:
        text = path.read_text().strip()
        secret = b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (OSError, ValueError, binascii.Error) as error:
        raise NotDelivered(f"cannot read the secret {path.name!r}: {type(error).__name__}") from None
    if not text.startswith(SECRET_PREFIX) or not 24 <= len(secret) <= 64:
        raise NotDelivered(f"the secret {path.name!r} is not whsec_ and the base64 of 24 to 64 bytes")
    return secret
