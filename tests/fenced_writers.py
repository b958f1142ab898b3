"""Run as a process of its own: writers are fenced in the middle of their transactions and done away with.

    python -m tests.fenced_writers BOOTSTRAP TOPIC

Ends with 0 when its memory is still in one piece at the end.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import KafkaException, Producer

from streams.fencing import fenced_writer
from streams.retired import retire
from streams.settings import Settings

PARTITIONS, ROUNDS = 4, 80
ANSWER_S = 120.0


def fenced_while_writing(settings: Settings, topic: str, number: int) -> bool:
    """Was the first writer of this number refused while it wrote?"""
    with ThreadPoolExecutor(1) as other:
        writer = fenced_writer(settings, number, ANSWER_S)
        fencing = other.submit(fenced_writer, settings, number, ANSWER_S)
        refused = _write_until_refused(writer, topic)
        retire(writer)
        del writer
        retire(fencing.result())
    return refused


def _write_until_refused(writer: Producer, topic: str) -> bool:
    try:
        for _ in range(1000):
            writer.begin_transaction()
            for number in range(60):
                writer.produce(topic, b"x" * 30 * number, b"key", number % PARTITIONS)
            writer.commit_transaction(ANSWER_S)
    except KafkaException:
        return True
    return False


def main() -> None:
    settings = Settings(kafka=sys.argv[1])
    with ThreadPoolExecutor(4) as pool:
        refused = sum(pool.map(lambda number: fenced_while_writing(settings, sys.argv[2], number), range(ROUNDS)))
    print(f"{refused} of {ROUNDS} were refused while they wrote")
    sys.exit(refused != ROUNDS)


if __name__ == "__main__":
    main()
