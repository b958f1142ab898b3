"""The Faust application: one consumer group, static membership, our transport, raw bytes in."""

from __future__ import annotations

from collections.abc import Callable

import faust
from faust.tables.manager import TableManager

from streams.clients import WORKERS
from streams.reach import credentials
from streams.settings import Settings
from streams.topics import Topic
from streams.transport import Transport


class _NoTables(TableManager):
    """Faust's keeper of tables, of which we have none: it would wait a second for some before anything is read."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


def create_app(settings: Settings, is_open: Callable[[int], bool]) -> faust.App:
    """A Faust app on the broker of the settings; nothing is connected before it starts.

    It reads the messages of a partition only while `is_open(partition)`.
    """
    data = settings.dir / "faust" / settings.worker_id
    data.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        WORKERS,
        broker="kafka://" + settings.kafka.replace(",", ";kafka://"),
        broker_credentials=credentials(settings),
        consumer_group_instance_id=settings.worker_id,  # the embedded broker never expires a member, Kafka does
        consumer_auto_offset_reset="earliest",
        # Where a partition begins, aiokafka asks the leader it knows, though that one says it leads no more, until it
        # looks for leaders again: every five minutes, unless told otherwise. A worker read nothing for as long.
        consumer_metadata_max_age_ms=10_000,
        # A fetch holds this much of every partition, and a poll takes so many messages of it: a buffer that is fuller
        # than four fifths stops the next poll, so one poll must fit into the last fifth.
        consumer_max_fetch_size=1024 * 1024,
        broker_max_poll_records=max(1, settings.batch_max // 2),
        broker_session_timeout=settings.session_time_out_s,
        broker_heartbeat_interval=settings.session_time_out_s / 4,
        broker_commit_interval=1.0,
        topic_allow_declare=False,  # `kassa init` declares topics, workers only use them
        topic_disable_leader=True,
        stream_buffer_maxsize=4 * settings.batch_max,
        stream_wait_empty=False,
        web_enabled=False,
        TableManager=_NoTables,
        store="memory://",
        datadir=str(data),
        logging_config=None,
    )
    transport = Transport(app.conf.broker_consumer, app)
    transport.is_open = is_open
    app.transport = transport
    return app


def raw_topic(app: faust.App, topic: Topic) -> faust.TopicT:
    """A topic of ours as Faust reads it: bytes, since a message is believed only after its signature."""
    return app.topic(topic.name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
