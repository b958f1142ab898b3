"""What the fault suite's terminals write down is read back as it was, and what they send has every fault in it."""

from __future__ import annotations

import pickle
from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path

from console.fleet_kinds import Kind
from console.fleet_world import FleetTerminal, World
from schemas.envelope import SigningKey
from schemas.reply import Reply
from schemas.tracking import CheckReply, CheckRequest
from schemas.voucher import Secret
from tests.chaos.history import History
from tests.chaos.other_payees import receivers
from tests.chaos.past import NOWHERE, Answered, Asked, Past, reply_fingerprint
from tests.chaos.traffic import OTHERWISE, Traffic

AT = datetime(2026, 1, 1, tzinfo=UTC)


def a_reply(state: str, *, final: bool, code: int = 0) -> Reply:
    return Reply.model_validate({"id": "kiosk-1.1", "state": state, "final": final, "code": code, "txn": 7, "at": AT})


def test_a_history_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    with History(tmp_path / "history.jsonl") as history:
        first = history.sent("payments", "GOOD:late", "kiosk-1", "kiosk-1.1", b"one", 1)
        second = history.sent("commands", "CONFLICT", "root", "order.1", b"two", 2)
        history.acked(first, 3, 17)
        history.failed(second, "_MSG_TIMED_OUT")
        history.told(a_reply("HELD", final=False))
        history.told(a_reply("POSTED", final=True))
        history.secret("kiosk-1", Secret(payment="kiosk-1.1", payee="card", serial="b1-000", pin="86420-8642"))
        history.unopened("kiosk-1.2")
        history.brought("heating_000001.tsv", b"")
        check = CheckRequest(
            id="check.1",
            terminal="kiosk-1",
            agent="S",
            payee="mobile",
            subscriber={"account": "9161234567"},
            made_at=AT,
        )
        history.asked(check, is_last=True)
        history.answered(CheckReply(id="check.1", payee="mobile", source="payee", name="Абонент", debt=-5, at=AT))
        history.answered(CheckReply(id="check.1", payee="mobile", source="rules", code=1, at=AT))
        history.ended(99)
    past = Past(history.path)
    assert [(one.terminal, one.payment, one.serial) for one in past.secrets] == [
        ("kiosk-1", "kiosk-1.1", "b1-000"), ("", "kiosk-1.2", "")
    ]  # fmt: skip
    assert "86420" not in history.path.read_text(), "a PIN is in the open"
    assert past.files == {"heating_000001.tsv": sha256(b"").hexdigest()}
    assert past.questions == {"check.1": Asked("mobile", "9161234567", True)}
    assert past.answers == [
        Answered("check.1", 0, "payee", "Абонент", -5), Answered("check.1", 1, "rules", "", None)
    ]  # fmt: skip
    assert (len(past), past.acked, past.unknown, past.ended_at, past.unreadable) == (2, 1, 1, 99, 0)
    assert (past.partition[first], past.offset[first], past.partition[second]) == (3, 17, NOWHERE)
    assert (past.kind_of(first), past.topic_of(second), past.ids[second]) == ("GOOD", "commands", "order.1")
    assert past.content[first] != past.content[second]
    at = int(AT.timestamp()) * 1000
    assert list(past.replies) == [reply_fingerprint("kiosk-1.1", state, 0, at, 7) for state in ("HELD", "POSTED")]
    assert (past.notes, past.contradictions) == (Counter({"_MSG_TIMED_OUT": 1}), [])
    assert '"POSTED"' in past.reply_line(1)


def test_two_ends_told_of_one_payment_contradict_each_other_and_a_rejected_copy_does_not(tmp_path: Path) -> None:
    with History(tmp_path / "history.jsonl") as history:
        for state, code in ("POSTED", 0), ("REJECTED", 215), ("POSTED", 0):
            history.told(a_reply(state, final=True, code=code))
        assert past_of(history).contradictions == []
        history.told(a_reply("VOIDED", final=True, code=5))
        assert past_of(history).contradictions == ["kiosk-1.1 was told POSTED 0, then VOIDED 5"]


def past_of(history: History) -> Past:
    history.flush()
    return Past(history.path)


def test_a_later_writer_goes_on_counting_and_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    history.sent("payments", "GOOD", "kiosk-1", "kiosk-1.1", b"one", 1)
    history.close()
    with history.path.open("ab") as file:
        file.write(b'["a",0,3,')  # killed here
    with pickle.loads(pickle.dumps(history)) as another:
        assert another.sent("payments", "GOOD", "kiosk-1", "kiosk-1.2", b"two", 2) == 1
    past = Past(history.path)
    assert (past.ids, past.unreadable, past.acked) == (["kiosk-1.1", "kiosk-1.2"], 1, 0)


def _traffic(seed: int, keys: list[SigningKey]) -> Traffic:
    terminals = [FleetTerminal(f"k-{n}", "S", "A", "RUB", key) for n, key in enumerate(keys)]
    usual, special = receivers(seed)
    return Traffic(World(terminals, usual, AT), seed, 300, special)


def test_traffic_is_out_of_order_doubled_and_late_and_a_seed_repeats_it() -> None:
    keys = [SigningKey.generate(f"k-{n}:1") for n in range(4)]
    sent = list(islice(_traffic(5, keys), 6_000))
    assert [one.message.value for one in islice(_traffic(5, keys), 500)] == [one.message.value for one in sent[:500]]
    assert sent[:500] != list(islice(_traffic(6, keys), 500))
    manners = Counter(one.kind for one in sent)
    for manner in "GOOD:late", "GOOD:overtaken", OTHERWISE, "REPEAT:at once", "REPEAT:much later", "CONFLICT":
        assert manners[manner] > 0, manners
    good = [one.message for one in sent if one.message.kind is Kind.GOOD]
    assert len({message.id for message in good}) == len(good)
    numbers = [int(message.id.partition(".")[2]) for message in good if message.terminal == "k-0"]
    assert numbers != sorted(numbers)
    places = {}
    for place, one in enumerate(sent):
        places.setdefault(one.message.value, []).append(place)
    distances = {there[1] - there[0] for there in places.values() if len(there) > 1}
    assert min(distances) == 1
    assert max(distances) > 1_000
