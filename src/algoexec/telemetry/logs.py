"""Structured logs. Secrets are kept out by their types, which do not print."""

import logging
import sys
from contextlib import suppress
from io import StringIO
from typing import Final, Literal

import structlog

type LogFormat = Literal["json", "console"]
type LogLevel = Literal["debug", "info", "warning", "error"]

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


class Loudness:
    """From which level on something is logged: of the service, and of sessions that somebody looks into."""

    def __init__(self) -> None:
        """Log from `info` on, of every session."""
        self._of_service = logging.INFO
        self._of_session: Final[dict[str, int]] = {}

    def set(self, level: str) -> None:
        """Log from `level` on, except of sessions that have a level of their own."""
        self._of_service = _LEVELS[level]

    def set_session(self, session_id: str, level: LogLevel | None) -> None:
        """Log of one session from `level` on; None: as of the service."""
        if level is None:
            self._of_session.pop(session_id, None)
        else:
            self._of_session[session_id] = _LEVELS[level]

    def is_logged(self, level: str, session_id: str | None) -> bool:
        """Return whether an event of that level is logged; `session_id` None: it is of no session."""
        threshold = self._of_service if session_id is None else self._of_session.get(session_id, self._of_service)
        return _LEVELS[level] >= threshold


LOUDNESS: Final = Loudness()
"""Of this process: there is one log."""


class StandardError(StringIO):
    """Standard error as it is now. What it does not take is lost: a log must not end what it tells of."""

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError, ValueError):  # a broken pipe, a full disk; a closed file
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush if that can be done."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def configure_logging(log_format: LogFormat, level: str) -> None:
    """Send our own events to standard error, one line each, with what the context carries."""
    LOUDNESS.set(level)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        # Plain: the pretty one would print the variables of every frame, and tokens with them.
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    common: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _if_loud_enough, *common[1:], renderer],
        # What is logged depends on the session, so it is decided with the event at hand.
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.PrintLoggerFactory(file=StandardError()),
        cache_logger_on_first_use=False,
    )
    # What libraries log takes the same form: a line of this stream is always one record.
    handler = logging.StreamHandler(StandardError())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _if_loud_enough(_: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    level = "error" if method == "exception" else method
    if not LOUDNESS.is_logged(level, event.get("session_id")):
        raise structlog.DropEvent
    return event


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger that names its part of the system."""
    # Not bound here: that would fix the configuration of the time of import.
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(part=name)
    return bound
