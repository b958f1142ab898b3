"""The HTTP client for what we bring to people: webhooks and registries. Not for payees: agents/gateways/http.py is."""

from __future__ import annotations

import ssl

import httpx


def outgoing(time_out_s: float, tls: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """Follows no redirect, takes no proxy of the environment, keeps no line open: each delivery stands for itself.

    tls: whom to trust; by default the system's authorities.
    """
    return httpx.AsyncClient(
        verify=tls or httpx.create_ssl_context(),
        follow_redirects=False,
        trust_env=False,
        timeout=time_out_s,
        limits=httpx.Limits(max_keepalive_connections=0),
    )
