"""One attempt per question, and what its failure means: NotSent only where aiohttp fails before it writes.

httpx-aiohttp cannot be asked which it was: it reports a connection that broke after the request was written
(aiohttp's ServerDisconnectedError and ClientOSError) as httpx.ConnectTimeout, the same as one that was never made.
And aiohttp repeats a GET by itself when its connection breaks; where the payee then refuses the second connection,
the error of the *repeat*, "cannot connect", is all that is left of a request the payee has already read. So we stand
between aiohttp's session and its connection, as a client middleware, and judge each attempt before either of them
can. Errors of ours are none that aiohttp repeats on.
"""

from __future__ import annotations

import socket
import ssl

import aiohttp
from aiohttp.connector import Connection

from agents.gateways.errors import GatewayError, NotSent, OutcomeUnknown

# Raised by aiohttp's connector alone, which hands over a connection nothing has been written to yet. The list is of
# what is safe: an exception that is not on it, also one that a later aiohttp invents, is OutcomeUnknown.
BEFORE_WRITING = (
    aiohttp.ConnectionTimeoutError,  # no connection, or none free, in time
    aiohttp.ClientConnectorError,  # refused, unreachable, no such host
    aiohttp.ClientConnectorSSLError,
    aiohttp.ClientConnectorCertificateError,
    aiohttp.InvalidURL,
)


async def one_attempt(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp client middleware: ask once; raises NotSent or OutcomeUnknown for whatever goes wrong."""
    try:
        return await handler(request)
    except GatewayError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever breaks here, the payee may have the request
        # "from None": aiohttp's messages hold the whole URL, the payer's number with it.
        raise meaning(error) from None


class QuietLineRequest(aiohttp.ClientRequest):
    """Is only written to a connection on which nothing is waiting to be read.

    A payee that answers twice leaves its second answer on a kept connection, where aiohttp would take it for the
    answer to the next request: a second answer to a check for that of the pay which follows.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if conn.protocol is None or conn.protocol.should_close:
            raise NotSent("stray-reply", "the payee sent something nobody had asked for; the connection was closed")
        return await super().send(conn)


def meaning(error: Exception) -> GatewayError:
    """What a failed attempt means. Nothing of the error's own text is kept: it may hold the payer's number."""
    if not isinstance(error, BEFORE_WRITING):
        return OutcomeUnknown("connection-lost", f"the connection broke after the request was sent: {_name(error)}")
    match error:
        case aiohttp.ConnectionTimeoutError():
            return NotSent("connect-timeout", "no connection to the payee in time")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return NotSent("tls", f"no secure connection to the payee: {_name(error)}")
        case aiohttp.ClientConnectorDNSError():
            return NotSent("dns", "the payee's host name is not known")
        case aiohttp.ClientConnectorError():
            return NotSent("connect", f"no connection to the payee: {_name(error)}")
        case _:
            return NotSent("bad-url", "the payee's address cannot be used")


def _name(error: BaseException) -> str:
    """The kind of error, and of the system's error under it where there is one."""
    under = getattr(error, "os_error", None)
    if isinstance(under, (OSError, ssl.SSLError, socket.gaierror)) and type(under) is not type(error):
        return f"{type(error).__name__} ({type(under).__name__})"
    return type(error).__name__
