"""The trading screen in a real Chromium, over a day at 60×."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.desk import Desk, Screen, screen

pytestmark = pytest.mark.timeout(300)

PHONE: dict[str, Any] = {"size": (390, 844), "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
WEIGHT = 260 * 1024
"""Bytes that the whole page may weigh on the wire, chart library and typeface included."""


def axe_finds(shown: Screen) -> list[str]:
    """Return what axe has to say that is serious or critical."""
    # Run by the debugger: the page's policy would not let it in as a script.
    shown.page.evaluate(Axe().axe_script)
    found = shown.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]


def begun(market: Desk, user: str, mode: str = "paper") -> dict[str, Any]:
    """Begin the one session that the page will show."""
    market.end_all()
    return market.begin(user, mode)


def test_a_day_runs_across_the_screen(market: Desk, chromium: Browser, artefacts: Path) -> None:
    begun(market, "asha")
    with screen(chromium, market.line.url, color_scheme="dark") as shown:
        shown.wait(".mode", "PAPER · SIMULATOR")
        shown.wait(".price .last", ".")
        first = shown.text(".price .last")
        shown.until(f"document.querySelector('.price .last').textContent !== {first!r}")
        shown.wait(".signal .what")
        shown.wait(".ladder tr.atm")
        shown.until("/^[0-9]/.test(document.querySelector('.legend .vwap').textContent)")
        shown.until("document.querySelector('.ladder-panel .aside').textContent.endsWith('live')")
        weight = shown.page.evaluate(
            "performance.getEntriesByType('resource').filter((one) => one.name.includes('/ui/'))"
            ".reduce((sum, one) => sum + one.encodedBodySize, 0)"
        )
        shown.page.screenshot(path=artefacts / "live-dark.png")
        assert 100_000 < weight < WEIGHT, f"{weight} bytes"


def test_what_was_missed_is_there_after_a_drop(market: Desk, chromium: Browser, artefacts: Path) -> None:
    session = begun(market, "bela")

    def broken(text: str) -> bool:
        return (
            "ERR_INTERNET_DISCONNECTED" in text or "WebSocket connection" in text or "service does not answer" in text
        )

    with screen(chromium, market.line.url, expected=broken) as shown:
        shown.wait(".price .last", ".")
        shown.page.context.set_offline(True)
        market.line.cut()
        shown.wait(".banner", "No connection to the service")
        shown.page.screenshot(path=artefacts / "no-connection.png")
        # Meanwhile the day goes on: some minutes are decided that this page does not hear of.
        path = f"/sessions/{session['id']}"
        reached = market.api.get(path).json()["frames"] + 8
        while market.api.get(path).json()["frames"] < reached:
            shown.page.wait_for_timeout(100)
        shown.page.context.set_offline(False)
        shown.until("!document.querySelector('.banner.bad')")
        signals = market.api.get("/signals", params={"session_id": session["id"]}).json()["items"]
        refused = market.api.get("/rejections", params={"session_id": session["id"]}).json()["items"]
        wanted = f"Number(document.querySelector('.signals .count').textContent) >= {len(signals)}"
        shown.until(wanted)
        shown.page.get_by_role("tab", name="Why not?").click()
        shown.until(f"document.querySelectorAll('.signal.refused').length >= {len(refused)}")


@pytest.mark.prove
def test_begun_halted_resumed_flattened_and_ended_by_hand(market: Desk, chromium: Browser, artefacts: Path) -> None:
    market.end_all()
    while market.api.get("/sessions", params={"active": True}).json()["items"]:
        market.end_all()
    with screen(chromium, market.line.url) as shown:
        page = shown.page
        shown.wait("h2", "No session is under way")
        page.screenshot(path=artefacts / "no-session.png")
        page.keyboard.press("n")
        shown.wait("dialog", "Begin a session")
        page.get_by_label("User").fill("chitra")
        page.get_by_label("Broker access token").fill("user:chitra")
        page.get_by_label("Risk, %").fill("2")
        page.screenshot(path=artefacts / "begin.png")
        page.get_by_role("button", name="Begin", exact=True).click()
        shown.wait(".mode", "PAPER · SIMULATOR")
        shown.until("!document.querySelector('dialog')")

        page.get_by_role("button", name="Halt").click()
        page.get_by_label("Reason").fill("RBI policy")
        page.locator("dialog button[type=submit]").click()
        shown.wait(".banner", "RBI policy")
        page.get_by_role("button", name="Resume").click()
        shown.until("!document.querySelector('.banners').textContent.includes('RBI policy')")

        page.keyboard.press("f")
        shown.wait("dialog", "Get out of everything")
        page.screenshot(path=artefacts / "flatten.png")
        page.locator("dialog button[type=submit]").click()
        shown.wait(".toast", "Getting out of everything")

        shown.until("!document.querySelector('dialog')")
        page.keyboard.press("k")
        page.locator("dialog button[type=submit]").click()
        shown.wait(".banner", "kill switch is on")
        shown.until("!document.querySelector('dialog')")
        page.keyboard.press("k")
        shown.wait("dialog", "Take the kill switch back")
        page.locator("dialog button[type=submit]").click()
        shown.until("!document.querySelector('.banners').textContent.includes('kill switch is on')")
        # What it has halted stays halted until somebody wants it otherwise.
        page.get_by_role("button", name="Resume").click()
        shown.until("!document.querySelector('.banners').textContent.includes('halted')")

        page.get_by_role("button", name="More").click()
        page.get_by_role("button", name="End the session").click()
        page.locator("dialog button[type=submit]").click()
        shown.wait(".banner", "This session has ended")
    (session,) = market.api.get("/sessions", params={"limit": 1}).json()["items"]
    assert (session["user_id"], session["status"], session["reason"]) == ("chitra", "STOPPED", "requested")
    assert session["config"]["trading"]["risk_pct"] == 2


def test_live_wants_a_green_preflight_and_a_typed_word(market: Desk, chromium: Browser, artefacts: Path) -> None:
    begun(market, "devi", "signals")
    with screen(chromium, market.line.url, expected=lambda text: "422" in text) as shown:
        page = shown.page
        shown.wait(".mode", "SIGNALS · SIMULATOR")
        page.keyboard.press("n")
        page.get_by_label("User").fill("esha")
        page.get_by_text("Sends orders to the simulator.").click()
        begin = page.locator("dialog button[type=submit]")
        begin.click()
        shown.wait(".checks", "there is no living access token")
        page.get_by_label("Broker access token").fill("user:esha")
        begin.click()
        shown.wait("dialog", "Everything is ready.")
        page.screenshot(path=artefacts / "preflight.png")
        assert begin.is_disabled()
        page.get_by_label("Confirmation").fill("LIVE")
        begin.click()
        shown.wait(".mode", "LIVE · SIMULATOR")
        page.screenshot(path=artefacts / "live-on-the-simulator.png")
    market.end_all()


def test_a_field_that_is_wrong_says_so(market: Desk, chromium: Browser) -> None:
    begun(market, "farah")
    with screen(chromium, market.line.url, expected=lambda text: "422" in text) as shown:
        shown.wait(".mode", "PAPER")
        shown.page.keyboard.press("c")
        shown.wait("dialog", "Change the configuration")
        shown.page.get_by_text("numbers of the strategy").click()
        shown.page.get_by_label("Ema fast length").fill("50")
        shown.page.locator("dialog button[type=submit]").click()
        shown.wait("dialog .error", "must be below ema_slow_length")
        shown.page.get_by_label("Ema fast length").fill("8")
        shown.page.locator("dialog button[type=submit]").click()
        shown.wait(".toast", "Changed")
        shown.until("document.querySelector('.legend').textContent.includes('EMA 8')")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing_serious(market: Desk, chromium: Browser, artefacts: Path, theme: Any) -> None:
    begun(market, f"gita-{theme}")
    with screen(chromium, market.line.url, color_scheme=theme) as shown:
        shown.wait(".price .last", ".")
        shown.wait(".ladder tr.atm")
        assert shown.page.evaluate("document.documentElement.dataset.theme") == theme
        assert axe_finds(shown) == []
        shown.page.screenshot(path=artefacts / f"axe-{theme}.png")
        shown.page.keyboard.press("?")
        shown.wait("dialog", "Keyboard")
        assert axe_finds(shown) == []
        shown.page.keyboard.press("Escape")
        shown.page.keyboard.press("y")
        shown.wait(".history .day-cell b")
        shown.page.screenshot(path=artefacts / f"history-{theme}.png")
        assert axe_finds(shown) == []
        shown.page.keyboard.press("d")
        assert shown.page.evaluate("document.documentElement.dataset.theme") != theme
        shown.page.reload()
        shown.wait(".price .last", ".")
        assert shown.page.evaluate("document.documentElement.dataset.theme") != theme


def test_a_phone_shows_it_all_without_scrolling_sideways(market: Desk, chromium: Browser, artefacts: Path) -> None:
    begun(market, "hema")
    with screen(chromium, market.line.url, **PHONE) as shown:
        shown.wait(".price .last", ".")
        shown.wait(".ladder tr.atm")
        assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for name in ("Halt", "Flatten", "Kill"):
            assert shown.page.get_by_role("button", name=name, exact=True).is_visible()
        shown.page.screenshot(path=artefacts / "phone.png")
        shown.page.screenshot(path=artefacts / "phone-whole.png", full_page=True)
        assert axe_finds(shown) == []


@pytest.mark.prove
def test_a_session_of_the_past_is_replayed_on_the_same_chart(market: Desk, chromium: Browser, artefacts: Path) -> None:
    session = begun(market, "indu")
    path = f"/sessions/{session['id']}"
    with screen(chromium, market.line.url) as shown:
        while (market.api.get(path).json()["frames"] or 0) < 30:
            shown.page.wait_for_timeout(100)
        market.end_all()
        shown.page.goto(f"{market.line.url}/#/replay/{session['id']}")
        shown.wait(".replay-bar", "indu, paper")
        shown.until("/^[0-9]/.test(document.querySelector('.replay .legend b').textContent)")
        shown.page.screenshot(path=artefacts / "replay.png")
        ending = shown.text(".clock-out")
        shown.page.get_by_role("button", name="Play").click()
        shown.until("document.querySelector('.replay-bar .primary').textContent === 'Pause'")
        shown.until(f"document.querySelector('.clock-out').textContent !== {ending!r}")
        shown.page.get_by_label("Speed").select_option("600")
        shown.until(f"document.querySelector('.clock-out').textContent === {ending!r}")
        signals = market.api.get("/signals", params={"session_id": session["id"]}).json()["items"]
        count = shown.page.locator(".replay .signals .count").first.inner_text()
        assert count == (str(len(signals)) if signals else "")


def test_the_first_paint_is_there_within_a_second(market: Desk, chromium: Browser) -> None:
    paints = []
    with screen(chromium, market.line.url) as shown:
        for _ in range(5):
            shown.wait(".bar")
            paints.append(
                shown.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 9999")
            )
            shown.page.reload()
    # Other work on the machine makes some of them late; it makes none of them early.
    assert min(paints) < 1000, paints
