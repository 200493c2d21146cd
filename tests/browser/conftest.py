"""A real Chromium, and the real service behind the page."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.desk import Desk, running_desk

ARTEFACTS = Path(__file__).resolve().parents[2] / ".artefacts" / "browser"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A trading day at 60×, from 09:25, and a service at its side that nobody has begun anything on."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: install chromium, or name one in CHROMIUM")
    # Before the browser: playwright keeps an event loop of its own in this thread.
    with running_desk(tmp_path_factory.mktemp("desk"), speed=60) as desk:
        yield desk


@pytest.fixture(scope="module")
def chromium(market: Desk) -> Iterator[Browser]:
    """The system's browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where screenshots are kept to be looked at; git ignores it."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    return ARTEFACTS
