"""The suite's own cable: what it does to what goes through it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.cable import Cable, Cables, Way
from tests.chaos.overheard import Overheard, asked_file, overheard
from tests.network import until


class Echo:
    """A server that answers with what it was sent, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while said := connection.recv(65536):
                    self.heard += said
                    connection.sendall(said)
            except OSError:
                return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        self._thread.join(10)
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def cable(echo: Echo) -> Iterator[Cable]:
    with Cables() as cables:
        yield cables.lay(lambda: echo.port)


def _line(cable: Cable) -> socket.socket:
    return socket.create_connection(("127.0.0.1", cable.port), timeout=10)


def _all(line: socket.socket, size: int) -> bytes:
    heard = b""
    while len(heard) < size and (more := line.recv(65536)):
        heard += more
    return heard


def test_an_open_cable_carries_everything_both_ways(cable: Cable) -> None:
    sent = bytes(range(256)) * 20_000
    with _line(cable) as line:
        threading.Thread(target=line.sendall, args=(sent,), daemon=True).start()
        assert _all(line, len(sent)) == sent


def test_a_silent_cable_holds_what_was_sent_until_it_is_healed(cable: Cable, echo: Echo) -> None:
    with _line(cable) as line:
        line.sendall(b"before")
        assert _all(line, 6) == b"before"
        cable.set(Way.SILENT)
        line.sendall(b"meanwhile")
        line.settimeout(0.3)
        with pytest.raises(TimeoutError):
            line.recv(10)
        assert echo.heard == b"before"
        cable.set(Way.OPEN)
        line.settimeout(10)
        assert _all(line, 9) == b"meanwhile"


def test_a_reset_breaks_the_connections_there_are_and_every_new_one(cable: Cable) -> None:
    with _line(cable) as line:
        line.sendall(b"x")
        assert line.recv(1) == b"x"
        cable.set(Way.RESET)
        with pytest.raises(ConnectionError):
            _broken(line)
    with _line(cable) as line, pytest.raises(ConnectionError):
        _broken(line)


def test_a_mute_cable_brings_the_request_and_loses_the_answer(cable: Cable, echo: Echo) -> None:
    cable.set(Way.MUTE)
    with _line(cable) as line:
        line.sendall(b"pay")
        with pytest.raises(ConnectionError):
            _broken(line)
    until("the server heard it", lambda: echo.heard == b"pay")


def test_an_http_error_comes_in_place_of_the_server(cable: Cable, echo: Echo) -> None:
    cable.set(Way.HTTP_500)
    with _line(cable) as line:
        line.sendall(b"POST / HTTP/1.1\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 500 ")
    assert echo.heard == b""


def test_what_is_asked_for_is_overheard_once_also_when_it_never_arrives(echo: Echo, tmp_path: Path) -> None:
    there = asked_file(tmp_path)
    assert overheard(there) is None
    with Cables() as cables:
        ear = Overheard(there)
        cable = cables.lay(lambda: echo.port, ear.hear)
        with _line(cable) as line:
            for asked in b"roads-near/?command=pay&txn_id=17&", b"mobile/?command=check&txn_id=18&":
                line.sendall(b"GET /" + asked + b"sum=1.00 HTTP/1.1\r\n\r\n")
                assert line.recv(65536)
            cable.set(Way.SILENT)
            for gateway in b"roads-near", b"roads-far":
                line.sendall(b"GET /" + gateway + b"/?command=pay&txn_id=17&sum=1.00 HTTP/1.1\r\n\r\n")
            until("it is heard", lambda: overheard(there) == {17: ["roads-near", "roads-far"]})
    ear.close()
    assert b"roads-far" not in echo.heard


def test_a_slow_cable_is_late_and_loses_nothing(cable: Cable) -> None:
    cable.set(Way.OPEN, delay_s=0.2)
    with _line(cable) as line:
        began_s = time.monotonic()
        line.sendall(b"slowly")
        assert _all(line, 6) == b"slowly"
        assert time.monotonic() - began_s >= 0.35  # there and back


def _broken(line: socket.socket) -> None:
    if line.recv(10) == b"":
        raise ConnectionResetError("closed")
