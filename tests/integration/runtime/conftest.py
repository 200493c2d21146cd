"""Fixtures of the runtime against a real simulator."""

import pytest

from algoexec.adapters.history.day_folder import read_day
from algoexec.domain.recording import RecordedDay
from algoexec.telemetry import configure_logging
from tests.e2e.days import write_generated_day
from tests.fixtures_mongo import cipher, database, mongo_stores, mongod

__all__ = ["cipher", "database", "mongo_stores", "mongod"]


@pytest.fixture(autouse=True)
def _logging() -> None:
    """Log as the service does: structlog's own default draws tracebacks, which takes seconds."""
    configure_logging("json", "error")


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> RecordedDay:
    """The generated day as if it had been recorded: its chain changes every 15 minutes only."""
    return read_day(write_generated_day(tmp_path_factory.mktemp("recorded") / "day"))
