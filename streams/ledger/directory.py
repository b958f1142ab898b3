"""Directory commands: which record may replace the one on file."""

from __future__ import annotations

from typing import Any

from schemas.chart import SetChart
from schemas.command import (
    DirectoryCommand,
    RevokeKey,
    SetContact,
    SetGateway,
    SetOperator,
    SetPayee,
    SetPlan,
    SetSchedule,
    SetSubscribers,
    SetTariff,
    SetTerminal,
)
from schemas.entry import DirectoryRecord
from schemas.ids import instant_ms, ms_instant
from schemas.refusal import Refusal
from streams.ledger.charts import new_chart
from streams.ledger.objections import Objection
from streams.ledger.state import Book
from streams.ledger.tariff_ties import first_tie

Json = dict[str, Any]


def new_record(book: Book, order: DirectoryCommand, at: int) -> DirectoryRecord | Objection:
    """The record as it will stand, or why it may not."""
    match order:
        case SetTerminal():
            value = _terminal(book, order, at)
        case RevokeKey():
            value = _revoked(book, order, at)
        case SetOperator():
            value = _with_keys(book, order.operator.model_dump(mode="json"), at)
        case SetTariff():
            value = _tariff(book, order, at)
        case SetPayee():
            value = _payee(book, order, at)
        case SetGateway():
            value = order.gateway.model_dump(mode="json")
        case SetContact():
            value = order.contact.model_dump(mode="json")
        case SetPlan():
            value = _plan(book, order)
        case SetSchedule():
            value = {**order.schedule.model_dump(mode="json"), "set_at": _instant(at)}
        case SetSubscribers():
            value = _subscribers(order, at)
        case SetChart():
            value = new_chart(book, order)
    if isinstance(value, Objection):
        return value
    table, _, record_id = book.id.partition("/")
    return DirectoryRecord(table, record_id, value)


def _terminal(book: Book, order: SetTerminal, at: int) -> Json | Objection:
    """A terminal stays with its agent: its payments' ids are kept under that tree."""
    terminal = order.terminal
    if book.record is not None:
        on_file = book.record.value
        if (on_file["tree"], on_file["agent"]) != (terminal.tree, terminal.agent):
            belongs = f"agent {on_file['agent']} in tree {on_file['tree']}"
            return Objection(Refusal.NO_RIGHT, f"terminal {terminal.id} belongs to {belongs}")
    return _with_keys(book, terminal.model_dump(mode="json"), at)


def _payee(book: Book, order: SetPayee, at: int) -> Json | Objection:
    """A payee stays with its currency: the sums of its tariff are in it.

    No moment before they were set is a cut-off of its registries; the same terms given again change nothing.
    """
    value = order.payee.model_dump(mode="json")
    on_file = book.record.value if book.record is not None else {}
    if (was := on_file.get("currency", value["currency"])) != value["currency"]:
        return Objection(
            Refusal.OTHER, f"payee {order.payee.id} is paid in {was}, which stays; another currency is another payee"
        )
    terms = value.get("offline")
    if terms is not None:
        was = on_file.get("offline") or {}
        is_same = (was.get("cut_off"), on_file.get("time_zone")) == (terms["cut_off"], value["time_zone"])
        terms["since"] = was["since"] if is_same else _instant(at)
    return value


def _with_keys(book: Book, value: Json, at: int) -> Json | Objection:
    """Enrollment and revocation times are the ledger's to give; the order's are taken for none."""
    keys = []
    for key in value["keys"]:
        known = book.keys.get(key["kid"])
        if known is None:
            if key["revoked_at"] is not None:
                return Objection(Refusal.OTHER, f"key {key['kid']} is new: it cannot be revoked already")
            keys.append({**key, "enrolled_at": _instant(at)})
            continue
        if (key["algorithm"], key["jwk"]) != (known["algorithm"], known["jwk"]):
            return Objection(Refusal.NO_RIGHT, f"another key has the id {key['kid']}; give the new one the next number")
        if key["revoked_at"] is None and known["revoked_at"] is not None:
            return Objection(Refusal.NO_RIGHT, f"key {key['kid']} was revoked and cannot come back")
        if key["revoked_at"] is not None and known["revoked_at"] is None:
            return Objection(Refusal.OTHER, f"key {key['kid']} is in force; to revoke it is an order of its own")
        keys.append(known)
    if len({key["kid"] for key in keys}) < len(keys):
        return Objection(Refusal.OTHER, "the same key id is listed twice")
    return {**value, "keys": keys}


def _revoked(book: Book, order: RevokeKey, at: int) -> Json | Objection:
    """A key revoked twice was revoked the first time."""
    if book.record is None:
        return Objection(Refusal.OTHER, f"there is no terminal {order.terminal}")
    value = book.record.value
    if order.kid not in {key["kid"] for key in value["keys"]}:
        return Objection(Refusal.OTHER, f"terminal {order.terminal} has no key {order.kid} on file")
    keys = [
        {**key, "revoked_at": _instant(at)} if key["kid"] == order.kid and key["revoked_at"] is None else key
        for key in value["keys"]
    ]
    return {**value, "keys": keys}


def _tariff(book: Book, order: SetTariff, at: int) -> Json | Objection:
    """Each payment names the tariff's version it was priced by, so a version means one tariff for ever."""
    tariff = order.tariff
    if book.record is not None and tariff.version <= book.record.value["version"]:
        on_file = book.record.value["version"]
        return Objection(
            Refusal.OTHER, f"version {on_file} is on file; the next tariff of {tariff.payee} must be above it"
        )
    tie = first_tie(tariff, at)
    if tie is not None:
        return Objection(Refusal.OTHER, tie.sentence(tariff.time_zone))
    return tariff.model_dump(mode="json")


def _plan(book: Book, order: SetPlan) -> Json | Objection:
    """What was charged is remembered under the plan's id, in its tree and by its kind of period."""
    plan = order.plan.model_dump(mode="json")
    if book.record is not None:
        for name in "tree", "period":
            if book.record.value[name] != plan[name]:
                was = book.record.value[name]
                return Objection(Refusal.OTHER, f"plan {plan['id']} has {name} {was}, which stays; set another plan")
    return plan


def _subscribers(order: SetSubscribers, at: int) -> Json | Objection:
    """As of when a list is decides which payments its debts have not seen; nobody has seen those to come."""
    new = order.list
    if new.as_of is not None and instant_ms(new.as_of) > at:
        return Objection(Refusal.OTHER, f"the list of {new.payee} is as of a time to come")
    value = new.model_dump(mode="json")
    return value if new.as_of is not None else {**value, "as_of": _instant(at)}


def _instant(at: int) -> str:
    return ms_instant(at).isoformat().replace("+00:00", "Z")
