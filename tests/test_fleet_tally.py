"""What came of each message is found again in replies and quarantine, whatever order they come in."""

from __future__ import annotations

import pytest

from console.fleet_kinds import EXPECTED, Expected, Kind, Outcome
from console.fleet_messages import FleetMessage
from console.fleet_run import paced
from console.fleet_tally import Tally, answers, percentile
from console.rejects import Rejected
from schemas.reject import RejectReason
from schemas.reply import Reply, ReplyState
from tests.builders import NOW


def a_message(kind: Kind = Kind.GOOD, payment: str = "kiosk-1.1") -> FleetMessage:
    return FleetMessage(kind, b"A", b"", EXPECTED[kind], "kiosk-1", payment)


def a_reply(state: ReplyState, payment: str = "kiosk-1.1", **more: object) -> Reply:
    final = state in ("POSTED", "VOIDED", "DECLINED", "REJECTED")
    return Reply.model_validate({"id": payment, "state": state, "at": NOW, "final": final, **more})


def test_a_good_payment_is_settled_by_its_final_reply() -> None:
    tally = Tally()
    track = tally.sent(a_message(), 10.0)
    tally.acknowledged(track, "payments", 0, 7)
    tally.reply(a_reply("HELD"), 10.5)
    assert (track.found, tally.is_settled) == (Expected(Outcome.ACCEPTED), False)
    tally.reply(a_reply("POSTED"), 11.0)
    assert (track.first_s, track.final_s, tally.is_settled, tally.differing()) == (0.5, 1.0, True, [])


def test_duplicates_of_one_id_are_told_apart_by_their_replies() -> None:
    tally = Tally()
    kinds = (Kind.GOOD, Kind.CONFLICT, Kind.REPEAT, Kind.REPEAT)
    tracks = [tally.sent(a_message(kind), 0.0) for kind in kinds]
    for offset, track in enumerate(tracks):
        tally.acknowledged(track, "payments", 0, offset)
    tally.reply(a_reply("HELD"), 1.0)
    tally.reply(a_reply("HELD", again=True), 1.0)
    tally.reply(a_reply("POSTED"), 2.0)
    tally.reply(a_reply("REJECTED", code=215), 2.0)
    tally.rejected(Rejected("payments", 0, 1, "CONFLICT"))
    assert not tally.is_settled
    tally.reply(a_reply("POSTED", again=True), 3.0)
    assert tally.is_settled
    assert tally.differing() == []


def test_a_rejection_read_before_the_acknowledgement_is_kept_for_it() -> None:
    tally = Tally()
    track = tally.sent(a_message(Kind.WRONG_SIGNATURE, ""), 0.0)
    tally.rejected(Rejected("payments", 2, 5, "BAD_SIGNATURE"))
    assert not tally.is_settled
    tally.acknowledged(track, "payments", 2, 5)
    assert (tally.is_settled, tally.differing()) == (True, [])


@pytest.mark.parametrize(
    ("kind", "state", "code", "found"),
    [
        (Kind.GOOD, "DECLINED", 220, Expected(Outcome.DECLINED, 220)),
        (Kind.WRONG_FEE, "DECLINED", 255, Expected(Outcome.DECLINED, 255)),
        (Kind.NO_SUCH_PAYEE, "HELD", 0, Expected(Outcome.ACCEPTED)),
        (Kind.NEGATIVE, "REJECTED", 300, None),
    ],
)
def test_what_was_found_is_held_against_what_was_expected(
    kind: Kind, state: ReplyState, code: int, found: Expected | None
) -> None:
    tally = Tally()
    track = tally.sent(a_message(kind), 0.0)
    tally.acknowledged(track, "payments", 0, 1)
    tally.reply(a_reply(state, code=code), 1.0)
    assert track.found == found
    assert (tally.differing() == []) == (found == EXPECTED[kind])


def test_a_wrong_reason_for_quarantine_differs() -> None:
    tally = Tally()
    tally.acknowledged(tally.sent(a_message(Kind.HMAC, ""), 0.0), "payments", 0, 1)
    tally.rejected(Rejected("payments", 0, 1, "BAD_SIGNATURE"))
    assert [track.found for track in tally.differing()] == [
        Expected(Outcome.QUARANTINED, reason=RejectReason.BAD_SIGNATURE)
    ]


def test_what_kafka_did_not_take_is_over_and_counted() -> None:
    tally = Tally()
    tally.failed(tally.sent(a_message(), 0.0))
    assert tally.is_settled
    assert answers(tally.tracks) == {("not acknowledged", 0): 1}


def test_replies_to_others_are_not_ours() -> None:
    tally = Tally()
    ours = tally.sent(a_message(), 0.0)
    tally.reply(a_reply("POSTED", "kiosk-9.1"), 0.0)
    assert not ours.replies
    assert not tally.is_settled


@pytest.mark.parametrize(
    ("values", "percent", "found"),
    [([], 50, None), ([7], 99, 7), ([3, 1, 2], 50, 2), (range(1, 101), 99, 99), (range(1, 101), 50, 50)],
)
def test_percentiles(values: list[float], percent: int, found: float | None) -> None:
    assert percentile(values, percent) == found


def test_at_a_rate_messages_wait_for_their_time_and_listen_meanwhile() -> None:
    listened: list[float] = []
    sent = list(paced([a_message()] * 3, 100, listened.append))
    assert len(sent) == 3
    assert listened
    assert max(listened) <= 0.02
