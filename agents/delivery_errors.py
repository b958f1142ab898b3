"""How a try of a delivery fails. Texts name no address and no secret."""

from __future__ import annotations


class NotDelivered(Exception):
    """It did not work this time: try again later. Whether it has arrived all the same may not be known."""


class Undeliverable(NotDelivered):
    """The other side refuses for good, or we cannot even begin: no further try."""
