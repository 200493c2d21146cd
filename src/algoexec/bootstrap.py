"""Puts the service together: the one module, beside `cli`, that knows every adapter."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Final

import structlog
from fastapi import FastAPI

from algoexec.adapters.system_clock import SystemClock
from algoexec.adapters.upstox.hosts import Hosts
from algoexec.adapters.upstox.venue import SimulatorVenue, UpstoxVenue
from algoexec.api.app import create_app
from algoexec.api.auth import Authenticator
from algoexec.api.services import ApiOptions, Services
from algoexec.engine.version import ENGINE_VERSION
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.registry import Registry
from algoexec.settings import Broker, Settings
from algoexec.storage.crypto import TokenCipher
from algoexec.storage.embedded import embedded_mongod
from algoexec.storage.stores import MongoStores
from algoexec.telemetry import logger

_log = logger("service")


class CannotStart(Exception):
    """The service cannot start as it is set up; the message says what to do."""
