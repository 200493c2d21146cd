"""A trading day in the browser, at 60×."""

from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.desk import Desk, screen


def test_a_day_runs_across_the_screen(market: Desk, chromium: Browser, artefacts: Path) -> None:
    market.begin("asha")
    with screen(chromium, market.line.url) as shown:
        shown.wait(".mode", "PAPER · SIMULATOR")
        shown.wait(".price .last", ".")
        first = shown.text(".price .last")
        shown.until(f"document.querySelector('.price .last').textContent !== {first!r}")
        shown.wait(".signal .what")
        shown.wait(".ladder tr.atm")
        shown.until("/^[0-9]/.test(document.querySelector('.legend .vwap').textContent)")
        paint = shown.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        shown.page.screenshot(path=artefacts / "live.png")
        assert paint < 1000, f"first paint after {paint:.0f} ms"
    market.end_all()
