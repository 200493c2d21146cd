"""What a browser test sits at: simulator, service, a network that can be cut, and a page that notes what goes wrong."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from tests.e2e.proxy import CuttingProxy
from tests.e2e.stack import Service, Simulator, simulator

PATIENCE_MS = 45_000
"""A condition that does not hold by then will not; a loaded machine is no failure."""


class Line:
    """The network between browser and service, in a thread of its own: playwright's own loop is busy."""

    def __init__(self, target: str) -> None:
        """Forward to `target` while the context lasts."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._proxy = CuttingProxy(target)

    def __enter__(self) -> Self:
        """Begin to forward."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._proxy.__aenter__(), self._loop).result(30)
        return self

    def __exit__(self, *_: object) -> None:
        """End every connection."""
        asyncio.run_coroutine_threadsafe(self._proxy.__aexit__(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    @property
    def url(self) -> str:
        """The service's address for the browser."""
        return self._proxy.url

    def cut(self) -> None:
        """Break every stream: no close frame, no goodbye."""
        done = threading.Event()

        def cut() -> None:
            self._proxy.cut()
            done.set()

        self._loop.call_soon_threadsafe(cut)
        assert done.wait(10)


@dataclass
class Desk:
    """The running parts. `api` speaks to the service beside the page, `exchange` to the simulator."""

    service: Service
    simulator: Simulator
    line: Line
    api: httpx.Client
    exchange: httpx.Client

    def begin(self, user: str, mode: str = "paper", **config: Any) -> dict[str, Any]:
        """Begin a session; a paper one risks enough for one lot."""
        trading = {} if mode == "signals" else {"trading": {"risk_pct": 2.0}}
        body = {"user_id": user, "access_token": f"user:{user}", "mode": mode, "config": {**trading, **config}}
        answer = self.api.post("/sessions", json=body)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        session: dict[str, Any] = answer.json()
        return session

    def end_all(self) -> None:
        """End every session, whatever it holds."""
        for session in self.api.get("/sessions", params={"active": True}).json()["items"]:
            self.api.delete(f"/sessions/{session['id']}", params={"flatten": True})


@contextmanager
def running_desk(folder: Path, *, speed: float, at: str = "09:25") -> Iterator[Desk]:
    """Run the parts while the block lasts, the market from `at` on."""
    with simulator(f"--speed={speed}", f"--at={at}", "--paced") as exchange:
        service = Service(folder, exchange.url)
        try:
            asyncio.run(service.start())
            with (
                Line(service.url) as line,
                httpx.Client(base_url=service.url, timeout=30) as api,
                httpx.Client(base_url=exchange.url, timeout=30) as simulated,
            ):
                yield Desk(service, exchange, line, api, simulated)
        finally:
            service.stop()


@dataclass
class Screen:
    """One page. `complaints` is all that a browser says against it: errors, and violations of its policy."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        """Return what stands there."""
        return self.page.locator(selector).first.inner_text()

    def wait(self, selector: str, text: str | None = None) -> None:
        """Return once the element is visible, and holds `text`."""
        place = self.page.locator(selector)
        (place.filter(has_text=text) if text else place).first.wait_for(timeout=PATIENCE_MS)

    def until(self, expression: str, within: float = PATIENCE_MS / 1000) -> None:
        """Return once the JavaScript expression is true. The page's policy forbids playwright's own way: eval."""
        deadline = time.monotonic() + within
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"it did not come about: {expression}"
            self.page.wait_for_timeout(50)


@contextmanager
def screen(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = (1440, 900),
    expected: Callable[[str], bool] = lambda _: False,
    **options: Any,
) -> Iterator[Screen]:
    """Open the page; at the end nothing may have been complained of that was not `expected`."""
    width, height = size
    context: BrowserContext = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    shown = Screen(page)

    def note(text: str) -> None:
        if not expected(text):
            shown.complaints.append(text)

    def console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            note(f"{message.text} {message.location.get('url', '')}".strip())

    page.on("console", console)
    page.on("pageerror", lambda error: note(str(error)))
    page.add_init_script(
        "addEventListener('securitypolicyviolation', "
        "(event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))"
    )
    try:
        page.goto(url)
        yield shown
        assert not shown.complaints, shown.complaints
    finally:
        context.close()
