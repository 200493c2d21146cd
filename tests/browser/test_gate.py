"""A service that wants to know who asks: key, ticket, and what a key that was revoked brings."""

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.desk import Desk, screen
from tests.e2e.stack import ALGOEXEC

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def key(market: Desk, tmp_path: Path) -> str:
    """A key of the user asha, made as an operator makes it; from here on nobody is let in without one."""
    made = subprocess.run(
        [*ALGOEXEC, "keys", "create", "--user", "asha", "--scope", "trade"],
        env=market.service.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (found,) = [word for word in made.stdout.split() if word.startswith("ae_")]
    return found


@pytest.mark.prove
def test_a_key_opens_the_page_and_its_stream(market: Desk, chromium: Browser, artefacts: Path, key: str) -> None:
    market.api.headers["Authorization"] = f"Bearer {key}"
    with screen(chromium, market.line.url, expected=lambda text: "401" in text) as shown:
        shown.wait("h1", "Who are you?")
        shown.page.screenshot(path=artefacts / "gate.png")
        shown.page.get_by_label("API key or JWT").fill("ae_wrong")
        shown.page.keyboard.press("Enter")
        shown.wait(".error", "unknown or revoked")
        shown.page.get_by_label("API key or JWT").fill(key)
        shown.page.keyboard.press("Enter")
        shown.wait("h2", "No session is under way")
        market.begin("asha", "signals")
        # The stream is opened with a ticket: a browser cannot send a header with a WebSocket.
        shown.wait(".price .last", ".")
        shown.until("document.querySelector('.health dd:last-child').dataset.state === 'good'")
        assert key not in shown.page.evaluate("JSON.stringify(localStorage) + location.href + document.cookie")
        shown.page.reload()
        shown.wait(".price .last", ".")
        shown.page.get_by_role("button", name="More").click()
        shown.page.get_by_role("button", name="Leave").click()
        shown.wait("h1", "Who are you?")
        assert shown.page.evaluate("sessionStorage.length") == 0
    market.end_all()
