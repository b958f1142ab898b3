"""Alerts are delivered, each once to each, to mail servers and webhooks that misbehave, through kills."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.notify_desk import Desk
from agents.notify_log import DeliveryLog, Superseded
from agents.notify_vitals import NotifyVitals
from agents.webhook import signed_headers
from schemas.alert import Alert, AlertKind, Severity
from schemas.contact import Contact, Webhook
from schemas.delivery import Delivery, DeliveryState
from streams.clients import producer
from streams.compacted import read_all, read_to_end
from streams.embedded import EmbeddedBroker
from streams.lifeline import spawn
from streams.settings import Settings
from streams.topics import ALERTS, CONTACTS, DELIVERIES, create_or_verify
from tests.network import until
from tests.receivers import Hooks, Mailbox, free_port, happens, hooks, mailbox
from tests.self_signed import server_and_client_tls

pytestmark = pytest.mark.integration

SECRET = bytes(range(32))
DUTY, TILL = "duty@acme.example", "till@shop.example"
DOCS = Path(__file__).parent.parent / "docs"


@dataclass
class Place:
    """A broker, a mail server and a webhook receiver, and who is to be told."""

    settings: Settings
    box: Mailbox
    hooks: Hooks
    contacts: dict[str, Contact] = field(default_factory=dict)

    def tell(self, subject: str = "acme/shop", *, over: bool = False, at: datetime | None = None) -> Alert:
        """Put an alert of agent shop on the topic; its text is what a worker would say."""
        moment = at or datetime.now(UTC).replace(microsecond=0)
        alert = Alert(
            kind=AlertKind.LOW_BALANCE, subject=subject, agent="shop", tree="acme", severity=Severity.WARNING,
            text="agent shop of tree acme has 8.00 RUB available, which is below 10.00", over=over,
            at=moment, since=moment,
        )  # fmt: skip
        send = producer(self.settings, enable_idempotence=False)
        send.produce(ALERTS.name, alert.model_dump_json().encode(), b"shop")
        assert send.flush(10) == 0
        return alert

    def webhook(self, path: str) -> Webhook:
        return Webhook(url=self.hooks.url + path, secret="hook")

    def deliveries(self) -> list[Delivery]:
        return [Delivery.model_validate_json(value) for value in read_all(self.settings, DELIVERIES).values()]

    def states(self, channel: str = "") -> list[str]:
        return sorted(one.state.value for one in self.deliveries() if channel in ("", one.channel))

    @asynccontextmanager
    async def notify(self, settings: Settings | None = None, **more: Any) -> AsyncIterator[asyncio.Task[None]]:
        async def catch_up() -> bool:
            return True

        stop = asyncio.Event()
        desk = Desk(settings or self.settings, self.contacts, catch_up, NotifyVitals(), **more)
        task = asyncio.create_task(desk.run(stop))
        try:
            yield task
        finally:
            stop.set()
            await asyncio.wait([task], timeout=30)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with EmbeddedBroker.start(tmp_path / "run") as running, mailbox() as box, hooks() as receiver:
        settings = Settings(
            dir=tmp_path, kafka=running.bootstrap, partitions=1, embedded=True, smtp=f"127.0.0.1:{box.port}",
            smtp_tls="none", smtp_from="kassa@acme.example", webhook_plain=True, notify_retry_ms=20, notify_tries=4,
            notify_time_out_ms=500,
        )  # fmt: skip
        create_or_verify(settings)
        (settings.keys / "notify").mkdir(parents=True)
        (settings.keys / "notify" / "hook").write_text(f"whsec_{base64.b64encode(SECRET).decode()}\n")
        yield Place(settings, box, receiver)


async def test_each_is_told_once_and_a_restart_tells_nobody_again(place: Place) -> None:
    place.contacts["operator"] = Contact(id="operator", mail=(DUTY,), webhooks=(place.webhook("/duty"),))
    place.contacts["acme/shop"] = Contact(id="acme/shop", mail=(TILL,), webhooks=(place.webhook("/shop"),))
    place.contacts["acme/other"] = Contact(id="acme/other", mail=("other@acme.example",))
    alert = place.tell()
    async with place.notify():
        await happens("all are told", lambda: place.states() == ["DELIVERED"] * 4)
    async with place.notify():
        place.tell(over=True, at=alert.since)
        await happens("all are told of the end", lambda: place.states() == ["DELIVERED"] * 8)
    assert sorted(to for to, _ in place.box.mails) == [DUTY, DUTY, TILL, TILL]
    assert sorted(post.path for post in place.hooks.posts) == ["/duty", "/duty", "/shop", "/shop"]
    mail = place.box.mails[0][1]
    assert mail["Subject"] == "[kassa] warning: LOW_BALANCE acme/shop"
    assert "Agent shop of tree acme has 8.00 RUB available" in mail.get_payload()
    posted = [json.loads(post.body) for post in place.hooks.at("/shop")]
    assert [one["type"] for one in posted] == ["alert.begin", "alert.over"]
    assert Alert.model_validate_json(json.dumps(posted[0]["data"])) == alert
    assert DUTY not in json.dumps([one.model_dump(mode="json") for one in place.deliveries()])


async def test_a_webhook_is_signed_as_the_page_says(place: Place) -> None:
    place.contacts["operator"] = Contact(id="operator", webhooks=(place.webhook("/duty"),))
    place.tell()
    async with place.notify():
        await happens("it is told", lambda: place.states() == ["DELIVERED"])
    code: dict[str, Any] = {}
    exec(re.findall(r"^```python\n(.*?)^```", (DOCS / "alerts.md").read_text(), re.MULTILINE | re.DOTALL)[0], code)
    post, secret = place.hooks.posts[0], "whsec_" + base64.b64encode(SECRET).decode()
    assert code["is_ours"](post.headers, post.body, secret)
    assert not code["is_ours"](post.headers, post.body + b" ", secret)
    assert not code["is_ours"](post.headers | {"webhook-id": "alert_0"}, post.body, secret)
    old = signed_headers("alert_0", int(post.headers["webhook-timestamp"]) - 400, post.body, SECRET)
    assert not code["is_ours"](old, post.body, secret)


async def test_a_failure_is_tried_again_under_the_same_id_and_then_given_up(place: Place) -> None:
    place.contacts["operator"] = Contact(id="operator", mail=(DUTY,))
    place.contacts["acme/shop"] = Contact(
        id="acme/shop", mail=(TILL,), webhooks=(place.webhook("/late"), place.webhook("/never"), place.webhook("/gone"))
    )
    place.hooks.answers.update({"/late": [500, 302, 404], "/never": [503] * 4, "/gone": [410]})
    place.box.answers[TILL] = ["drop", "451 later"]
    place.tell()
    async with place.notify():
        # Two are given up, and operators hear of each.
        await happens("all is done", lambda: place.states() == ["DEAD"] * 2 + ["DELIVERED"] * 5)
    assert sorted(
        (one.state.value, one.tries, one.why) for one in place.deliveries() if one.contact == "acme/shop"
    ) == [
        ("DEAD", 1, "the webhook answered 410"),
        ("DEAD", 4, "the webhook answered 503"),
        ("DELIVERED", 3, ""),
        ("DELIVERED", 4, ""),
    ]
    assert [len(place.hooks.at(path)) for path in ("/late", "/never", "/gone", "/elsewhere")] == [4, 4, 1, 0]
    for path in ("/late", "/never"):
        assert len({post.headers["webhook-id"] for post in place.hooks.at(path)}) == 1
        assert len({post.body for post in place.hooks.at(path)}) == 1
    # "451" left nothing; "drop" was taken and the word of it lost: the same Message-ID came again.
    assert (len(place.box.ids(TILL)), len(set(place.box.ids(TILL)))) == (2, 1)
    assert sorted(str(mail["Subject"]).split()[2] for to, mail in place.box.mails if to == DUTY) == [
        "DELIVERY_DEAD", "DELIVERY_DEAD", "LOW_BALANCE",
    ]  # fmt: skip


async def test_an_unreached_recipient_is_one_alert_until_it_is_reached(place: Place) -> None:
    place.contacts["operator"] = Contact(id="operator", mail=(DUTY,))
    place.contacts["acme/shop"] = Contact(id="acme/shop", webhooks=(place.webhook("/shop"),))
    place.hooks.answers["/shop"] = [410, 410]

    def dead_and_over() -> list[bool]:
        found = [one.alert for one in place.deliveries() if one.alert.kind is AlertKind.DELIVERY_DEAD]
        return [one.over for one in sorted(found, key=lambda one: one.at)]

    async with place.notify():
        place.tell("acme/one")
        await happens("operators hear of it", lambda: dead_and_over() == [False])
    async with place.notify():
        place.tell("acme/two")
        await happens("it is given up too", lambda: place.states("webhook") == ["DEAD", "DEAD"])
        place.tell("acme/three")
        await happens("operators hear that it is over", lambda: dead_and_over() == [False, True])
    assert len(place.hooks.at("/shop")) == 3


async def test_who_is_lost_and_then_on_file_no_more_is_not_missed_for_ever(place: Place) -> None:
    place.contacts["operator"] = Contact(id="operator", webhooks=(place.webhook("/old"), place.webhook("/duty")))
    place.hooks.answers["/old"] = [410] * 9

    def told_of_it() -> list[bool]:
        found = {post.headers["webhook-id"]: json.loads(post.body)["data"] for post in place.hooks.at("/duty")}
        return [one["over"] for one in found.values() if one["kind"] == "DELIVERY_DEAD"]

    async with place.notify():
        place.tell("acme/one")
        await happens("operators hear of it", lambda: told_of_it() == [False])
    place.contacts["operator"] = Contact(id="operator", webhooks=(place.webhook("/duty"),))
    for subject in "acme/two", "acme/three":
        async with place.notify():
            place.tell(subject)
            await happens("operators hear that it is over", lambda: told_of_it() == [False, True])
    alerts = [Alert.model_validate_json(one.value() or b"") for one in read_to_end(place.settings, ALERTS)]
    assert [one.over for one in alerts if one.kind is AlertKind.DELIVERY_DEAD] == [False, True]
    book = await asyncio.to_thread(DeliveryLog(place.settings).open)
    assert book.unreached == 0


async def test_one_that_hangs_and_a_mail_server_that_is_away_hold_nobody_up(place: Place) -> None:
    place.contacts["operator"] = Contact(
        id="operator", mail=(DUTY, TILL), webhooks=(place.webhook("/hangs"), place.webhook("/good"))
    )
    place.hooks.answers["/hangs"] = [0] * 50
    away = place.settings.model_copy(update={"smtp": f"127.0.0.1:{free_port()}", "notify_time_out_ms": 60_000})
    async with place.notify(away):
        for number in range(5):
            place.tell(f"acme/{number}")
        await happens("the good one has all", lambda: len(place.hooks.at("/good")) >= 5)
        assert len(place.hooks.at("/hangs")) == 1
        assert place.states("mail")[0] in ("DEAD", "PENDING")


async def test_a_mail_goes_over_tls_with_a_login_or_not_at_all(place: Place, tmp_path: Path) -> None:
    place.contacts["operator"] = Contact(id="operator", mail=(DUTY,))
    server_tls, client_tls = server_and_client_tls(tmp_path)
    (place.settings.keys / "notify" / "smtp").write_text("kassa:open sesame\n")
    with mailbox(server_tls) as strict:
        safe = {"smtp": f"localhost:{strict.port}", "smtp_tls": "starttls", "smtp_login": "smtp"}
        settings = place.settings.model_copy(update={**safe, "notify_time_out_ms": 10_000})
        place.tell("acme/1")
        async with place.notify(settings, tls=client_tls):
            await happens("it is taken", lambda: place.states() == ["DELIVERED"])
        assert strict.logins == ["good"]
        place.tell("acme/2")
        async with place.notify(settings):  # which trusts no such certificate
            await happens("it is given up", lambda: "DEAD" in place.states())
        assert len(strict.mails) == 1
    (dead,) = (one for one in place.deliveries() if one.state is DeliveryState.DEAD)
    assert dead.why.startswith("the mail server: SSL")


async def test_a_plain_webhook_is_refused_unless_it_is_permitted(place: Place) -> None:
    place.contacts["operator"] = Contact(id="operator", webhooks=(place.webhook("/duty"),))
    place.tell()
    async with place.notify(place.settings.model_copy(update={"webhook_plain": False})):
        await happens("it is refused", lambda: "DEAD" in place.states())
    assert place.hooks.posts == []


async def test_what_is_too_old_or_has_nobody_to_hear_it_is_on_record_and_told_to_nobody(place: Place) -> None:
    place.tell("acme/1")
    async with place.notify():
        await happens("it is on record", lambda: place.states() == ["NOBODY"])
    place.contacts["operator"] = Contact(id="operator", mail=(DUTY,))
    place.tell("acme/2", at=datetime.now(UTC) - timedelta(days=2))
    place.tell("acme/3")
    async with place.notify():
        await happens("the new one is told", lambda: place.states() == ["DELIVERED", "EXPIRED", "NOBODY"])
    assert [mail["Subject"] for _, mail in place.box.mails] == ["[kassa] warning: LOW_BALANCE acme/3"]


async def test_of_two_the_last_one_delivers_and_the_other_ends(place: Place) -> None:
    place.contacts["operator"] = Contact(id="operator", mail=(DUTY,))
    async with place.notify() as first:
        place.tell("acme/1")
        await happens("it is told", lambda: place.states() == ["DELIVERED"])
        await asyncio.to_thread(DeliveryLog(place.settings).open)
        place.tell("acme/2")
        with pytest.raises(Superseded):
            await asyncio.wait_for(first, 30)
    async with place.notify():
        await happens("the next one tells", lambda: place.states() == ["DELIVERED"] * 2)
    assert len(place.box.mails) == 2


def test_killed_between_sending_and_writing_it_down_it_sends_again_under_the_same_id(place: Place) -> None:
    contact = Contact(id="operator", webhooks=(place.webhook("/duty"), place.webhook("/other")))
    send = producer(place.settings, enable_idempotence=False)
    send.produce(CONTACTS.name, contact.model_dump_json().encode(), b"operator")
    assert send.flush(10) == 0
    place.hooks.answers["/duty"] = [0]
    env = {
        "KASSA_DIR": str(place.settings.dir), "KASSA_KAFKA": place.settings.kafka, "KASSA_PARTITIONS": "1",
        "KASSA_EMBEDDED": "true", "KASSA_WEBHOOK_PLAIN": "true", "KASSA_NOTIFY_TIME_OUT_MS": "60000",
    }  # fmt: skip
    (place.settings.dir / "run").mkdir(exist_ok=True)
    command, log = [sys.executable, "-m", "console", "notify"], place.settings.dir / "run" / "notify.log"
    place.tell()
    first = spawn(command, log=log, env=env)
    try:
        until("one is sent, and the other is written down", lambda: (
            len(place.hooks.at("/duty")) == 1 and place.states() == ["DELIVERED", "PENDING"]
        ), otherwise=log.read_text)  # fmt: skip
    finally:
        first.kill()
        first.wait()
    second = spawn(command, log=log, env=env)
    try:
        until("it is sent again", lambda: place.states() == ["DELIVERED"] * 2, otherwise=log.read_text)
    finally:
        second.terminate()
        assert second.wait(30) == 0
    assert len({post.headers["webhook-id"] for post in place.hooks.at("/duty")}) == 1
    assert (len(place.hooks.at("/duty")), len(place.hooks.at("/other"))) == (2, 1)
    assert place.hooks.url not in log.read_text()
