"""From bytes to a command that may be decided, or to a precise reason for quarantine. Reads no clock and no network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import orjson
import structlog
from pydantic import ValidationError

from schemas.bring_change import BringChange
from schemas.clearing_command import CLEARING, ClearingCommand
from schemas.command import COMMAND, OF_A_STATEMENT, TERMINAL_MAY, Deposit, DirectoryCommand, TreeCommand, book_of
from schemas.envelope import Envelope, EnvelopeError, VerifyingKey, open_envelope
from schemas.ids import instant_ms
from schemas.keys import SERVER_KID, owner_of
from schemas.payment import PaymentOrder
from schemas.registry_command import REGISTRY, PaymentAnswered, RegistryCommand, RegistryWord
from schemas.reject import RejectReason
from schemas.reversal import ReversePayment
from schemas.terminal import Terminal
from schemas.tracking import CheckRequest
from schemas.voucher_command import LoadVouchers, ProductOrder, ReserveVoucher, VoucherWord
from streams.arrival import Arrival, Ask, Check, Forward, Item, Quarantine
from streams.directory import Directory
from streams.ledger.commands import Instruct, Place, Product, RegistryTerms, Reversible
from streams.partitioner import partition_of
from streams.settings import Settings
from streams.unforeseen import place_of

log = structlog.get_logger()

_T = TypeVar("_T")
_NONE = frozenset[str]()
_FIRST_MIDNIGHT_S = 14 * 3_600


class Verifier:
    """The directory's facts and the settings' bounds, applied to one message at a time. Safe in any thread."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        server: VerifyingKey | None = None,
        pin_keys: Callable[[], frozenset[str]] = frozenset,
        unwell: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        """server: the workers' own key, by which books talk to each other; None: no book is believed. pin_keys: which
        keys of PINs this worker has now. unwell: gateways that do not work at the moment; asked from any thread."""
        self._unwell = unwell
        self._settings = settings
        self._directory = directory
        self._server = server
        self._pin_keys = pin_keys
        self._partitions: dict[str, int] = {}

    def payment(self, arrival: Arrival) -> Item:
        """What to do about a message on `payments`."""
        return self._guard(arrival, self._payment)

    def command(self, arrival: Arrival) -> Item:
        """What to do about a message on `commands`."""
        return self._guard(arrival, self._command)

    def check(self, arrival: Arrival) -> Item:
        """What to do about a message on `checks`."""
        return self._guard(arrival, self._check)

    def _guard(self, arrival: Arrival, read: Callable[[Arrival, Envelope, _Signer], Item]) -> Item:
        signer, envelope = _Signer(), None
        try:
            envelope = open_envelope(arrival.value)
            return read(arrival, envelope, signer)
        except EnvelopeError as error:
            why, detail = error.reason, str(error)
        except Exception as error:  # noqa: BLE001
            # One message that we cannot read must not stop all those behind it; what it is stays in quarantine. Its
            # content stays out of the log, and so do the exception's words, which may quote it.
            why, detail = RejectReason.UNPROCESSABLE, place_of(error)
            log.error("unprocessable", topic=arrival.topic, partition=arrival.partition, offset=arrival.offset,
                      detail=detail)  # fmt: skip
        return Quarantine(arrival, why, detail, signer.kid, _message_id(envelope) if envelope and signer.kid else "")

    def _payment(self, arrival: Arrival, envelope: Envelope, signer: _Signer) -> Item:
        signer.believe(self._directory.terminal_key(envelope.kid), envelope, arrival.received_at)
        order = _parsed(PaymentOrder.model_validate_json, envelope.payload)
        terminal = self._seller(order, envelope.kid)
        self._check_clock(instant_ms(order.made_at), arrival.received_at)
        if self._partition(terminal.tree) != arrival.partition:
            return Forward(arrival, terminal.tree)
        payee, tariff = self._directory.payees.get(order.payee), self._directory.tariffs.get(order.payee)
        backlog_max = self._settings.gateway_backlog
        is_sealed = terminal.sealing is not None
        unwell = self._unwell() if payee is not None and payee.routes else _NONE
        place = Place(terminal.tree, order, order.digest(), envelope.kid, payee, tariff, backlog_max, is_sealed, unwell)
        return Ask(place, arrival.received_at, arrival)

    def _check(self, arrival: Arrival, envelope: Envelope, signer: _Signer) -> Item:
        signer.believe(self._directory.terminal_key(envelope.kid), envelope, arrival.received_at)
        request = _parsed(CheckRequest.model_validate_json, envelope.payload)
        terminal = self._seller(request, envelope.kid)
        self._check_clock(instant_ms(request.made_at), arrival.received_at)
        if self._partition(terminal.tree) != arrival.partition:
            return Forward(arrival, terminal.tree)
        return Check(request, terminal.tree, arrival)

    def _seller(self, asked: PaymentOrder | CheckRequest, kid: str) -> Terminal:
        """The terminal that signed; raises EnvelopeError where it names another one, or another's agent."""
        owner = owner_of(kid)
        if asked.terminal != owner:
            raise EnvelopeError(RejectReason.WRONG_TERMINAL, f"signed by {owner}, names terminal {asked.terminal}")
        terminal = self._directory.terminals[owner]
        if asked.agent != terminal.agent:
            raise EnvelopeError(
                RejectReason.WRONG_AGENT, f"terminal {owner} is agent {terminal.agent}'s, not {asked.agent}'s"
            )
        return terminal

    def _command(self, arrival: Arrival, envelope: Envelope, signer: _Signer) -> Item:
        is_ours, terminal = envelope.kid == SERVER_KID, ""
        key = self._server if is_ours else self._directory.operator_key(envelope.kid)
        if key is None and not is_ours:
            key, terminal = self._directory.terminal_key(envelope.kid), owner_of(envelope.kid)
        signer.believe(key, envelope, arrival.received_at)
        command = _parsed(COMMAND.validate_json, envelope.payload)
        _check_signer(command, is_ours)
        if terminal:
            self._check_right(terminal, command)
        if isinstance(command, Deposit) and command.id.startswith(OF_A_STATEMENT):
            self._check_bank_day(command, arrival.received_at)
        elif not is_ours:  # ours may have waited for as long as its reader was away
            self._check_clock(instant_ms(command.issued_at), arrival.received_at)
        book = book_of(command)
        if self._partition(book) != arrival.partition:
            return Forward(arrival, book)
        reversible = self._reversible() if isinstance(command, ReversePayment) else None
        above = self._settings.four_eyes_above
        product = self._product(command, terminal) if isinstance(command, ProductOrder) else None
        registry = self._registry_terms(command)
        instruct = Instruct(
            book, command, command.digest(), envelope.kid, terminal, reversible, above, product, registry
        )
        return Ask(instruct, arrival.received_at, arrival)

    def _reversible(self) -> Reversible:
        """Lists of the live tables: a thread may change these meanwhile."""
        payees, gateways = list(self._directory.payees.values()), list(self._directory.gateways.values())
        return Reversible(
            {payee.id: payee.reversal_s for payee in payees if payee.reversal_s},
            frozenset(gateway.id for gateway in gateways if gateway.cancels),
        )

    def _product(self, command: ProductOrder, terminal: str) -> Product:
        on_file = self._directory.terminals.get(terminal)
        is_sealed = on_file is not None and on_file.sealing is not None
        reserve_ms = self._settings.voucher_reserve_s * 1000
        kids = self._pin_keys() if isinstance(command, LoadVouchers) else frozenset[str]()
        return Product(self._directory.payees.get(command.payee), reserve_ms, kids, is_sealed)

    def _registry_terms(self, command: TreeCommand | DirectoryCommand) -> RegistryTerms | None:
        """What the payee's record says of its registries, for a command that is about them."""
        if not isinstance(command, RegistryCommand) or isinstance(command, PaymentAnswered):
            return None
        payee = self._directory.payees.get(command.payee)
        if payee is None or payee.offline is None:
            return None
        return RegistryTerms(payee.offline.form, payee.time_zone, payee.currency)

    def _check_right(self, terminal: str, command: TreeCommand | DirectoryCommand) -> None:
        """A terminal may order a few things, and only for its own tree."""
        if command.kind not in TERMINAL_MAY:
            why = f"{terminal} is no operator, and only one orders {command.kind}"
            raise EnvelopeError(RejectReason.UNKNOWN_KEY, why)
        about = book_of(command)
        if isinstance(command, BringChange):
            about = command.to_tree
        elif isinstance(command, ReserveVoucher):
            about = command.tree
        if (tree := self._directory.terminals[terminal].tree) != about:
            raise EnvelopeError(RejectReason.WRONG_AGENT, f"terminal {terminal} is in tree {tree}, not in {about}")

    def _check_clock(self, made_at: int, received_at: int) -> None:
        ahead_s = (made_at - received_at) / 1000
        if ahead_s > self._settings.clock_ahead_s or -ahead_s > self._settings.clock_behind_s:
            way = f"{ahead_s:.0f} s ahead of" if ahead_s > 0 else f"{-ahead_s:.0f} s behind"
            raise EnvelopeError(RejectReason.WRONG_CLOCK, f"the sender's clock is {way} the time of receipt")

    def _check_bank_day(self, deposit: Deposit, received_at: int) -> None:
        """When it was booked is the bank's word, however old; a day begins somewhere 14 hours before it does in UTC."""
        ahead_s = (instant_ms(deposit.issued_at) - received_at) / 1000
        if ahead_s > self._settings.clock_ahead_s + _FIRST_MIDNIGHT_S:
            day = deposit.issued_at.date()
            raise EnvelopeError(RejectReason.WRONG_CLOCK, f"the deposit was booked on {day}, and that day is to come")

    def _partition(self, book: str) -> int:
        found = self._partitions.get(book)
        if found is None:
            found = self._partitions[book] = partition_of(book, self._settings.partitions)
        return found


class _Signer:
    """Whose message it is, once that is proven."""

    kid = ""

    def believe(self, key: VerifyingKey | None, envelope: Envelope, received_at: int) -> None:
        """Raises EnvelopeError unless the key is on file, unrevoked when it was received, and the signature good."""
        if key is None:
            raise EnvelopeError(RejectReason.UNKNOWN_KEY, f"no key {envelope.kid[:60]!r} on file")
        key.verify(envelope)
        revoked_at = key.on_file.revoked_at
        if revoked_at is not None and received_at >= instant_ms(revoked_at):
            raise EnvelopeError(RejectReason.REVOKED_KEY, f"key {envelope.kid} was revoked at {revoked_at.isoformat()}")
        self.kid = envelope.kid


def _check_signer(command: TreeCommand | DirectoryCommand, is_ours: bool) -> None:
    """What one book says to another is the workers' alone, and the ids it is known by."""
    if isinstance(command, ClearingCommand | VoucherWord | RegistryWord) != is_ours:
        who = "the workers' key does not sign" if is_ours else "an operator's key does not sign"
        raise EnvelopeError(RejectReason.WRONG_SIGNER, f"{who} {command.kind}")
    if command.id.startswith((CLEARING, REGISTRY)) and not is_ours:
        raise EnvelopeError(
            RejectReason.WRONG_SIGNER, f"ids that begin with {CLEARING} or {REGISTRY} are the workers' own"
        )


def _parsed(parse: Callable[[bytes], _T], payload: bytes) -> _T:
    try:
        return parse(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "payload"
        raise EnvelopeError(RejectReason.BAD_SCHEMA, f"{place}: {first['msg']}"[:400]) from None


def _message_id(envelope: Envelope) -> str:
    try:
        payload = orjson.loads(envelope.payload)
    except orjson.JSONDecodeError:
        return ""
    value = payload.get("id") if isinstance(payload, dict) else None
    return value if isinstance(value, str) else ""
