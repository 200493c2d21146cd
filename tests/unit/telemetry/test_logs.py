"""A log that cannot be written ends nothing."""

import io
import logging
import sys
from typing import Literal

import pytest

from algoexec.telemetry import configure_logging, logger


class BrokenPipe(io.StringIO):
    """What is left of standard error when nobody reads it any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(text)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_standard_error_may_go_away(log_format: Literal["json", "console"], monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    monkeypatch.setattr(sys, "stderr", closed)
    configure_logging(log_format, "info")
    log = logger("test")
    log.info("before")
    assert "before" in closed.getvalue()
    closed.close()
    for gone in (closed, BrokenPipe()):
        monkeypatch.setattr(sys, "stderr", gone)
        log.info("lost")
        logging.getLogger("library").warning("lost, too")
    back = io.StringIO()
    monkeypatch.setattr(sys, "stderr", back)
    log.info("again")
    assert "again" in back.getvalue()
    assert "lost" not in back.getvalue()
