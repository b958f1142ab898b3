"""JSON Schema of every topic and an AsyncAPI document of them all, generated from the models into `docs/`.

python -m console.schema_docs [DIRECTORY]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter

from schemas import reject
from schemas.alert import Alert
from schemas.balance import Balance
from schemas.chart import Chart
from schemas.command import COMMAND
from schemas.contact import Contact
from schemas.delivery import Delivery
from schemas.entry import ENTRY
from schemas.gateway import Gateway
from schemas.payee import Payee
from schemas.payment import PaymentOrder
from schemas.plan import Plan
from schemas.replay import Replay
from schemas.reply import Reply
from schemas.schedule import Schedule
from schemas.subscribers import SubscriberList, SubscriberRow
from schemas.tariff import Tariff
from schemas.terminal import Operator, Terminal
from schemas.tracking import CheckReply, CheckRequest
from streams.topics import ALL, REJECTS, SUBSCRIBERS, Topic

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MODELS: dict[str, TypeAdapter[Any]] = {
    "payments": TypeAdapter(PaymentOrder),
    "commands": COMMAND,
    "ledger": ENTRY,
    "balances": TypeAdapter(Balance),
    "replies": TypeAdapter(Reply),
    "replays": TypeAdapter(Replay),
    "alerts": TypeAdapter(Alert),
    "open_alerts": TypeAdapter(Alert),
    "checks": TypeAdapter(CheckRequest),
    "check_replies": TypeAdapter(CheckReply),
    "terminals": TypeAdapter(Terminal),
    "payees": TypeAdapter(Payee),
    "tariffs": TypeAdapter(Tariff),
    "gateways": TypeAdapter(Gateway),
    "operators": TypeAdapter(Operator),
    "deliveries": TypeAdapter(Delivery),
    "contacts": TypeAdapter(Contact),
    "schedules": TypeAdapter(Schedule),
    "charts": TypeAdapter(Chart),
    "plans": TypeAdapter(Plan),
    "subscriber_lists": TypeAdapter(SubscriberList),
    "subscribers": TypeAdapter(SubscriberRow),
}
_SIGNED = ("payments", "commands", "replies", "checks", "check_replies")


def documents() -> dict[str, bytes]:
    """File name under `docs/` -> content."""
    files = {f"schemas/{topic}.json": _pretty(schema(topic)) for topic in _MODELS}
    return {**files, "asyncapi.json": _pretty(asyncapi())}


def schema(topic: str) -> dict[str, Any]:
    """The JSON Schema of a topic's value; of the payload inside it, where the value is a JWS."""
    made = _MODELS[topic].json_schema(mode="validation")
    where = "payload of the JWS on" if topic in _SIGNED else "value on"
    return {"$schema": DIALECT, "title": f"{where} topic {topic}", **made}


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0: channels, keys and messages."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Kassa", "version": "1", "description": "Topics of a payment acceptance server."},
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in ALL},
    }


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": topic.value,
        "messages": {topic.name: _message(topic)},
        "bindings": {"kafka": {"topicConfiguration": dict(topic.config), "bindingVersion": "0.5.0"}},
    }


def _message(topic: Topic) -> dict[str, Any]:
    key = {"bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}}}
    if topic is REJECTS:
        headers = [reject.HEADER_REASON, reject.HEADER_DETAIL, reject.HEADER_TOPIC, reject.HEADER_PARTITION,
                   reject.HEADER_OFFSET, reject.HEADER_RECEIVED_AT]  # fmt: skip
        properties: dict[str, Any] = {name: {"type": "string"} for name in headers}
        properties[reject.HEADER_REASON]["enum"] = [reason.value for reason in reject.RejectReason]
        return {
            **key,
            "contentType": "application/octet-stream",
            "headers": {"type": "object", "properties": properties},
        }
    content = "application/jose" if topic.name in _SIGNED else "application/json"
    if topic is SUBSCRIBERS:
        content = "application/x-ndjson"
    return {**key, "contentType": content, "payload": {"$ref": f"schemas/{topic.name}.json"}}


def _pretty(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def write(directory: Path) -> None:
    """Write all documents below `directory`."""
    for name, content in documents().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
