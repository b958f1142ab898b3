"""What is to be delivered to whom, and what came of it: a fold of topic `deliveries` that knows what is due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.delivery_errors import NotDelivered, Undeliverable
from schemas.alert import Alert, AlertKind, Severity
from schemas.contact import OPERATOR, Contact, contact_id
from schemas.delivery import Channel, Delivery, DeliveryState, delivery_id, recipient_of

# An alert that nobody could be told of for so long (notify stood still) is no news any more.
OLDEST = timedelta(days=1)
_LONGEST_WAIT_MS = 3_600_000

Recipient = tuple[str, Channel, str]  # contact, channel, hash of the address


@dataclass(frozen=True, slots=True)
class Schedule:
    """Wait `first_ms` after the first failure, then twice as long each time, at most an hour; `tries` in all."""

    first_ms: int
    tries: int

    def wait(self, tries: int) -> timedelta:
        return timedelta(milliseconds=min(self.first_ms * 2 ** (tries - 1), _LONGEST_WAIT_MS))


class Book:
    """`take` changes it and must be given every record in the order of the topic; all else only looks."""

    def __init__(self) -> None:
        self.position = 0  # offset on `alerts` of the first alert that was not looked at
        self.pending: dict[str, Delivery] = {}
        self._known: set[str] = set()
        # Recipients whose last delivery was given up, and when the first of these was.
        self._unreached: dict[Recipient, datetime] = {}

    @property
    def unreached(self) -> int:
        return len(self._unreached)

    def lost(self, contacts: Mapping[str, Contact]) -> list[Recipient]:
        """Recipients on file whose last delivery was given up."""
        return [one for one in self._unreached if is_on_file(one, contacts)]

    def waiting(self) -> Counter[str]:
        """Pending deliveries by channel."""
        return Counter(one.channel for one in list(self.pending.values()))

    def take(self, delivery: Delivery) -> None:
        self.position = max(self.position, delivery.alert_offset + 1)
        self._known.add(delivery.id)
        if delivery.alert.kind is AlertKind.DELIVERY_DEAD and delivery.alert.over:
            self._end(delivery.alert)
        if delivery.state is DeliveryState.PENDING:
            self.pending[delivery.id] = delivery
            return
        self.pending.pop(delivery.id, None)
        if delivery.state is DeliveryState.DELIVERED:
            self._unreached.pop(to_whom(delivery), None)
        elif delivery.state is DeliveryState.DEAD and delivery.alert.kind is not AlertKind.DELIVERY_DEAD:
            self._unreached.setdefault(to_whom(delivery), delivery.at)

    def of_alert(self, alert: Alert, offset: int, contacts: Mapping[str, Contact], now: datetime) -> list[Delivery]:
        """A delivery to each who should hear of it; at least one record, so that it counts as looked at."""
        if now - alert.at > OLDEST:
            return [_made(alert, offset, ("", "", ""), now, DeliveryState.EXPIRED)]
        found = [_made(alert, offset, recipient, now) for recipient in _recipients(alert, contacts)]
        fresh = [one for one in found if one.id not in self._known]
        return fresh or [_made(alert, offset, ("", "", ""), now, DeliveryState.NOBODY)]

    def gone(self, contacts: Mapping[str, Contact], now: datetime) -> list[Alert]:
        """What operators should hear of recipients that were lost and are on file no more. Told again until it is read
        from topic `alerts`, which is the next thing to happen."""
        return [
            _unreached_alert(one, since, now, f"{_whom(one)} is not on file any more", over=True)
            for one, since in self._unreached.items()
            if not is_on_file(one, contacts)
        ]

    def due(self, now: datetime) -> Iterator[Delivery]:
        """What is to be tried now, oldest first."""
        return iter(sorted((one for one in self.pending.values() if one.due_at <= now), key=lambda one: one.due_at))

    def tried(self, delivery: Delivery, error: NotDelivered | None, schedule: Schedule, now: datetime) -> Delivery:
        """What one more try makes of it."""
        tries = delivery.tries + 1
        if error is None:
            changes: dict[str, object] = {"state": DeliveryState.DELIVERED, "why": ""}
        elif isinstance(error, Undeliverable) or tries >= schedule.tries:
            changes = {"state": DeliveryState.DEAD, "why": str(error)[:200]}
        else:
            changes = {"due_at": now + schedule.wait(tries), "why": str(error)[:200]}
        return delivery.model_copy(update={**changes, "tries": tries, "at": now})

    def alert_of(self, tried: Delivery) -> Alert | None:
        """What operators should hear of a try that was not taken in yet: a recipient is lost, or reached again.

        Of deliveries of such alerts themselves nothing is told, or one dead mailbox would never be quiet.
        """
        recipient = to_whom(tried)
        since = self._unreached.get(recipient)
        if tried.state is DeliveryState.DELIVERED and since is not None:
            return _unreached_alert(recipient, since, tried.at, f"alerts reach {_whom(recipient)} again", over=True)
        if tried.state is DeliveryState.DEAD and since is None and tried.alert.kind is not AlertKind.DELIVERY_DEAD:
            text = f"an alert to {_whom(recipient)} was given up after {tried.tries} tries: {tried.why}"
            return _unreached_alert(recipient, tried.at, tried.at, text, over=False)
        return None

    def _end(self, over: Alert) -> None:
        """Unless it is of an earlier loss of the same recipient."""
        ended = [one for one, since in self._unreached.items() if ("/".join(one), since) == (over.subject, over.since)]
        for recipient in ended:
            del self._unreached[recipient]


def address_of(recipient: Recipient, contacts: Mapping[str, Contact]) -> str | None:
    """The mail address or the webhook's URL as it is on file now; None when it is there no more."""
    name, channel, address = recipient
    contact = contacts.get(name)
    if contact is None:
        return None
    addresses = contact.mail if channel == "mail" else [hook.url for hook in contact.webhooks]
    return next((one for one in addresses if recipient_of(one) == address), None)


def is_on_file(recipient: Recipient, contacts: Mapping[str, Contact]) -> bool:
    return address_of(recipient, contacts) is not None


def _recipients(alert: Alert, contacts: Mapping[str, Contact]) -> Iterable[Recipient]:
    """The operator hears of everything, an agent of what concerns it."""
    for key in (OPERATOR, contact_id(alert.tree, alert.agent)):
        contact = contacts.get(key)
        if contact is not None:
            yield from ((key, "mail", recipient_of(address)) for address in contact.mail)
            yield from ((key, "webhook", recipient_of(hook.url)) for hook in contact.webhooks)


def _made(
    alert: Alert, offset: int, recipient: Recipient, now: datetime, state: DeliveryState = DeliveryState.PENDING
) -> Delivery:
    contact, channel, address = recipient
    return Delivery(
        id=delivery_id(alert, contact, channel, address),
        alert=alert,
        alert_offset=offset,
        contact=contact,
        channel=channel,
        recipient=address,
        state=state,
        due_at=now,
        at=now,
    )


def to_whom(delivery: Delivery) -> Recipient:
    return delivery.contact, delivery.channel, delivery.recipient


def _whom(recipient: Recipient) -> str:
    contact, channel, address = recipient
    return f"{channel} {address} of {contact}"


def _unreached_alert(recipient: Recipient, since: datetime, at: datetime, text: str, *, over: bool) -> Alert:
    return Alert(
        kind=AlertKind.DELIVERY_DEAD,
        subject="/".join(recipient),
        severity=Severity.INFO if over else Severity.WARNING,
        text=text,
        at=at,
        since=since,
        over=over,
    )
