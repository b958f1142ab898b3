"""Whose replies a client believes: a terminal chooses the ids of its own commands, and may choose another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.replies import ReplyReader
from schemas.envelope import SigningKey, VerifyingKey
from schemas.ids import ms_instant
from schemas.reply import Reply
from streams.clients import producer
from streams.embedded import EmbeddedBroker
from streams.partitioner import partition_of
from streams.settings import Settings
from streams.topics import REPLIES, create_or_verify
from tests.builders import AT

SERVER = SigningKey.generate("server:1")


@pytest.mark.integration
def test_what_is_answered_to_another_under_our_id_is_not_ours(tmp_path: Path) -> None:
    """A partner that waits for payment kiosk-1.17 would be told 215, by a thief's two commands of that id."""
    with EmbeddedBroker.start(tmp_path / "broker") as broker:
        settings = Settings(dir=tmp_path, kafka=broker.bootstrap)
        create_or_verify(settings, [REPLIES])
        place = partition_of("kiosk-1", settings.partitions)
        reader = ReplyReader(settings, VerifyingKey.load(SERVER.public()), ["kiosk-1"])
        writer = producer(settings)
        for owner, state, code in (("thief", "REJECTED", 215), ("kiosk-1", "POSTED", 0)):
            said = Reply(id="kiosk-1.17", state=state, code=code, final=True, at=ms_instant(AT))  # type: ignore[arg-type]
            writer.produce(REPLIES.name, SERVER.sign(said.model_dump_json().encode()), owner, place)
            assert writer.flush(10) == 0
        found = reader.poll(30)
        reader.close()
        assert found is not None
        assert (found.state, reader.unverified) == ("POSTED", 0)
