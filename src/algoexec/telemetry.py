"""Structured logs. Secrets are kept out by their types, which do not print."""

import logging
import sys
from typing import Final, Literal

import structlog

type LogFormat = Literal["json", "console"]

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logging(log_format: LogFormat, level: str) -> None:
    """Send our own events to standard error, one line each, with what the context carries."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger that names its part of the system."""
    # Not bound here: that would fix the configuration of the time of import.
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(part=name)
    return bound
