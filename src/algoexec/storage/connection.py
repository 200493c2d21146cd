"""The way to the database: one client, short time-outs, one error for all that is not an answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any, Final

import pymongo
from pymongo import AsyncMongoClient
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)

from algoexec.domain.errors import StoreUnavailable

SERVER_SELECTION_MS: Final = 1_500
PING_TIMEOUT_S: Final = 2.0
SOCKET_MS: Final = 10_000
"""For everything but the journal: long lists take their time."""

_NOT_NOW: Final = frozenset({91, 189, 262, 10107, 11600, 11602, 13435, 13436})
"""ShutdownInProgress, PrimarySteppedDown, ExceededTimeLimit, NotWritablePrimary, Interrupted…, NotPrimary….
Source: MongoDB 6.0 error codes."""


def connect(uri: str) -> AsyncMongoClient[dict[str, Any]]:
    """Return a client; it connects with its first question.

    Writes are confirmed once a majority has journaled them, times come back aware.
    """
    return AsyncMongoClient(
        uri,
        tz_aware=True,
        tzinfo=UTC,
        w="majority",
        journal=True,
        serverSelectionTimeoutMS=SERVER_SELECTION_MS,
        connectTimeoutMS=SERVER_SELECTION_MS,
        # Not timeoutMS: with it a read is retried until all of that time is gone, also while nobody is there.
        socketTimeoutMS=SOCKET_MS,
        appname="algoexec",
    )


@contextmanager
def answered(within: float | None = None) -> Iterator[None]:
    """Turn everything that is no answer of the database into `StoreUnavailable`.

    `within` seconds at most, server selection and retries included.
    """
    try:
        with pymongo.timeout(within) if within is not None else _no_limit():
            yield
    except (ConnectionFailure, ExecutionTimeout, WriteConcernError) as error:
        raise StoreUnavailable(_in_short(error)) from error
    except BulkWriteError as error:
        if not error.details.get("writeConcernErrors"):
            raise
        raise StoreUnavailable(_in_short(error)) from error
    except OperationFailure as error:
        if error.code not in _NOT_NOW:
            raise
        raise StoreUnavailable(_in_short(error)) from error
    except PyMongoError as error:
        if not error.timeout:
            raise
        raise StoreUnavailable(_in_short(error)) from error


def _in_short(error: PyMongoError) -> str:
    """Return what a person needs of it: PyMongo appends its whole view of the topology."""
    return f"MongoDB: {str(error).partition(' (configured timeouts')[0].partition(', Timeout:')[0]}"


@contextmanager
def _no_limit() -> Iterator[None]:
    yield
