"""Who receives alerts in tests: a real mail server and a real webhook receiver, which misbehave as they are told."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


@dataclass
class Mailbox:
    """`answers`: what to say to DATA for a recipient, the last one first; then "250 OK". "drop": hang up after it."""

    port: int
    answers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    mails: list[tuple[str, Message]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        (to,) = envelope.rcpt_tos
        answer = self.answers[to].pop() if self.answers[to] else "250 OK"
        if answer in ("250 OK", "drop"):
            self.mails.append((to, message_from_bytes(envelope.content)))
        if answer == "drop":
            server.transport.abort()
        return answer

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"kassa", b"open sesame")
        self.logins.append("good" if good else "bad")
        return AuthResult(success=good)

    def ids(self, to: str) -> list[str]:
        return [str(mail["Message-ID"]) for address, mail in self.mails if address == to]


@contextmanager
def mailbox(tls: ssl.SSLContext | None = None) -> Iterator[Mailbox]:
    """A mail server on this machine; with `tls` it takes nothing before STARTTLS and a login."""
    box = Mailbox(free_port())
    strict: dict[str, Any] = {"tls_context": tls, "require_starttls": True, "auth_required": True} if tls else {}
    server = Controller(box, "127.0.0.1", box.port, authenticator=box.authenticate, **strict)
    server.start()
    try:
        yield box
    finally:
        server.stop()


@dataclass
class Post:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Hooks:
    """A webhook receiver. `answers`: statuses by path, the last one first; then 200. 0: no answer until `let_go`."""

    url: str = ""
    answers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    posts: list[Post] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)

    def at(self, path: str) -> list[Post]:
        return [post for post in self.posts if post.path == path]


@contextmanager
def hooks() -> Iterator[Hooks]:
    found = Hooks()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            answers = found.answers[self.path]
            status = answers.pop() if answers else 200
            found.posts.append(Post(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            if not status:
                found.let_go.wait(60)
                return
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # what a redirect would be followed with

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        found.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def happens(what: str, condition: Any, within_s: float = 40) -> None:
    """Wait for it in an event loop that has to turn meanwhile, with a bound."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"waited {within_s} s in vain until {what}"
        await asyncio.sleep(0.02)
