"""A worker: the Faust app with its agents, on the partitions it is assigned."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import faust
from mode import Service
from mode.utils.times import Seconds

from agents.accept import Accept
from agents.alert_watch import AlertWatch
from agents.assignment import Assignment, ready_file
from agents.billing import BillingClock
from agents.change_clock import ChangeClock
from agents.check_replies import CheckReplies
from agents.dispatch import Dispatch
from agents.registry_clock import RegistryClock
from agents.registry_courier import RegistryCourier
from agents.settlement import SettlementClock
from agents.statements import StatementClock
from agents.subscriber_keeper import SubscriberKeeper
from agents.tracking import Tracking
from agents.verify import Verifier
from agents.vitals import Pulse, WorkerVitals
from agents.voucher_clock import VoucherClock
from schemas.envelope import VerifyingKey
from streams.app import create_app, raw_topic
from streams.clock import Clock
from streams.directory import Directory, DirectoryReader
from streams.health import serving
from streams.keyring import ensure_server_key, load_trusted
from streams.logs import configure_logs
from streams.pin_keys import PinKeys
from streams.pin_sealing import PinSealer
from streams.settings import Settings
from streams.shards import Shards
from streams.topics import CHECKS, COMMANDS, PAYMENTS
from streams.watch import Watch


def create_worker(
    settings: Settings, directory: DirectoryReader, subscribers: SubscriberKeeper, vitals: WorkerVitals
) -> faust.App:
    """The app of one worker, wired and not yet started; `directory` and `subscribers` are started before it.

    The path of a payment: `accept_payments` verifies and decides; `dispatch` asks the payee about what was held and
    brings its answer back to the same shard. `vitals` is told what to look at.
    """
    app = create_app(settings, lambda partition: shards.state(partition) is not None)
    clock = Clock(settings.clock_shift)
    dispatch = Dispatch(directory.directory, settings.keys / "gateways", clock, settings.batch_max, beacon=app.beacon)
    dispatch.check_in_list = subscribers.check
    assignment = Assignment(settings, vitals.assigned)

    def owns(partition: int) -> bool:
        """A worker that stops opens nothing: it would only keep itself, and its partitions, waiting."""
        return not app.should_stop and assignment.owns(partition)

    server_key, pin_keys = ensure_server_key(settings), PinKeys(settings)
    shards = Shards(
        settings, server_key, owns, dispatch.recovered, dispatch.closed,
        watch=lambda partition: Watch(settings, partition, directory.directory.contacts, directory.directory.payees),
        sealer=PinSealer(pin_keys, directory.directory.terminals),
    )  # fmt: skip
    assignment.shards = dispatch.shards = shards
    check_replies = CheckReplies(settings, server_key, directory.directory.terminals)
    tracking = Tracking(
        settings, directory.directory, subscribers, check_replies, clock, dispatch.unwell,
        beacon=app.beacon,
    )  # fmt: skip
    tracking.shards = shards
    tracking.guards = dispatch.guards
    accept = Accept(
        settings, shards, directory, lambda: app.consumer, dispatch.put, dispatch.add_future, clock, tracking.asked
    )
    ours = VerifyingKey.load(server_key.public())
    verifier = Verifier(settings, directory.directory, ours, pin_keys.ids, dispatch.unwell)
    _listen(app, settings, accept, verifier, assignment)
    vitals.shards, vitals.dispatch, vitals.consumer = shards, dispatch, lambda: app.consumer
    vitals.is_wired = True
    clocks = _clocks(settings, directory.directory, shards, clock, dispatch)
    for service in (dispatch, tracking, *clocks, Pulse(vitals.heartbeat, beacon=app.beacon)):
        app.add_dependency(service)
    return app


def _listen(
    app: faust.App, settings: Settings, accept: Accept, verifier: Verifier, assignment: Assignment
) -> None:  # fmt: skip
    """Whatever comes in goes to `accept` in batches, and what a rebalance gives or takes to `assignment`."""
    within: Seconds = settings.batch_within_ms / 1000

    @app.agent(raw_topic(app, PAYMENTS))
    async def accept_payments(stream: Any) -> None:
        async for events in stream.take_events(settings.batch_max, within):
            await accept.batch(events, verifier.payment)

    @app.agent(raw_topic(app, COMMANDS))
    async def accept_commands(stream: Any) -> None:
        async for events in stream.take_events(settings.batch_max, within):
            await accept.batch(events, verifier.command)

    @app.agent(raw_topic(app, CHECKS))
    async def accept_checks(stream: Any) -> None:
        async for events in stream.take_events(settings.batch_max, within):
            await accept.batch(events, verifier.check)

    @app.on_partitions_revoked.connect(weak=False)
    async def revoked(_app: Any, _partitions: set[Any], **_: Any) -> None:
        assignment.revoked()
        accept.revoked()

    @app.on_partitions_assigned.connect(weak=False)
    async def assigned(_app: Any, partitions: set[Any], **_: Any) -> None:
        assignment.assigned(partitions, app.consumer_generation_id, app.add_future)


def _clocks(
    settings: Settings, directory: Directory, shards: Shards, clock: Clock, dispatch: Dispatch
) -> Iterator[Service]:
    """Whatever moves by itself: time brings it, and nobody asks."""
    partitions, beacon = settings.partitions, dispatch.beacon
    yield SettlementClock(directory, shards, clock, partitions, beacon=beacon)
    yield ChangeClock(shards, clock, settings.change_days, beacon=beacon)
    yield VoucherClock(shards, clock, beacon=beacon)
    yield BillingClock(directory, shards, clock, partitions, beacon=beacon)
    yield RegistryClock(directory, shards, clock, partitions, beacon=beacon)
    yield RegistryCourier(settings, directory, shards, clock, beacon=beacon)
    yield StatementClock(settings, directory, shards, clock, dispatch.told, dispatch.guards, beacon=beacon)
    yield AlertWatch(shards, clock, beacon=beacon)


class _Worker(faust.Worker):
    """Faust's worker without its own logging and terminal spinner: a service writes one kind of log."""

    def _setup_logging(self) -> None:
        self.spinner = None


def run(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT."""
    configure_logs(settings.log_level)
    # The fold is a million objects without cycles: looking through them all for some is an eighth of the work.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    ready = ready_file(settings)
    ready.parent.mkdir(parents=True, exist_ok=True)
    ready.unlink(missing_ok=True)
    directory = DirectoryReader(settings, Directory(load_trusted(settings)))
    vitals = WorkerVitals(settings)
    subscribers = SubscriberKeeper(settings, directory.directory)
    with serving(settings, "worker", settings.worker_id, vitals):
        directory.start()
        subscribers.start()
        try:
            app = create_worker(settings, directory, subscribers, vitals)
            _Worker(app, redirect_stdouts=False, quiet=True).execute_from_commandline()
        finally:
            ready.unlink(missing_ok=True)
            subscribers.stop()
            directory.stop()
