"""Logs: one line of key=value pairs an event on stderr, UTC; payers' data and secrets stay out of them."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs(log_level: str) -> None:
    """Set up structlog and the standard library's root logger, at the start of a process; "info", "warning" …"""
    level = logging.getLevelNamesMapping()[log_level.upper()]
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )
    # Faust warns of a missing sensor at every first assignment; it has nothing to do with us.
    logging.getLogger("faust.app.base").addFilter(lambda record: "sensor state" not in record.getMessage())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,  # a command sets its own level after modules have made their loggers
    )
