"""A whole trading day in one page: it neither grows nor slows, and no task of its own takes a frame away."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession

from tests.browser.desk import Desk, Screen, running_desk, screen

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1800)]

SPEED = 120
TRACED_MS = 15_000
LONGEST_TASK_MS = 50
GROWTH_MB = 12
"""What lists of a day, all of them bounded, may add to the heap between the second quarter and the last."""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The day from its first minute."""
    with running_desk(tmp_path_factory.mktemp("day"), speed=SPEED, at="09:15") as desk:
        yield desk


def measured(shown: Screen, cdp: CDPSession) -> dict[str, float]:
    """Return the page's heap after a collection (MB), its nodes, and the processor time of its thread (s)."""
    cdp.send("HeapProfiler.collectGarbage")
    told = {one["name"]: one["value"] for one in cdp.send("Performance.getMetrics")["metrics"]}
    return {"heap": told["JSHeapUsedSize"] / 1e6, "nodes": told["Nodes"], "busy": told["TaskDuration"]}


def longest_task(browser: Browser, shown: Screen) -> float:
    """Trace the page for a while; return the longest task of its main thread, milliseconds of processor time."""
    browser.start_tracing(page=shown.page, categories=["toplevel", "devtools.timeline", "__metadata"])
    shown.page.wait_for_timeout(TRACED_MS)
    events: list[dict[str, Any]] = json.loads(browser.stop_tracing())["traceEvents"]
    mains = {(one["pid"], one["tid"]) for one in events if one.get("args", {}).get("name") == "CrRendererMain"}
    tasks: list[float] = [
        # Time on the processor, not on the wall: another process's turn is no fault of the page.
        one.get("tdur", one["dur"]) / 1000
        for one in events
        if one.get("name") in ("RunTask", "ThreadControllerImpl::RunTask")
        and one.get("ph") == "X"
        and (one["pid"], one["tid"]) in mains
    ]
    assert len(tasks) > 100, "the trace holds no tasks"
    return max(tasks)


def test_a_day_at_speed(market: Desk, chromium: Browser, artefacts: Path) -> None:
    session = market.begin("asha")
    path = f"/sessions/{session['id']}"
    quarters: list[dict[str, float]] = []
    with screen(chromium, market.line.url) as shown:
        cdp = shown.page.context.new_cdp_session(shown.page)
        cdp.send("Performance.enable")
        shown.wait(".price .last", ".")
        for until in ("10:45", "12:15", "13:45", "15:15"):
            shown.until(
                f"document.querySelector('.clock:not(.day-net) .time').textContent.slice(0, 5) >= {until!r}", within=400
            )
            before = measured(shown, cdp)
            longest = longest_task(chromium, shown)
            after = measured(shown, cdp)
            busy = (after["busy"] - before["busy"]) / (TRACED_MS / 1000)
            quarters.append({**after, "longest": longest, "busy": busy})
        shown.page.screenshot(path=artefacts / "long-day.png")
        frames = market.api.get(path).json()["frames"]
    (artefacts / "long-day.json").write_text(
        json.dumps({"speed": SPEED, "frames": frames, "quarters": quarters}, indent=1)
    )

    second, last = quarters[1], quarters[-1]
    assert max(one["longest"] for one in quarters) < LONGEST_TASK_MS, quarters
    assert last["heap"] - second["heap"] < GROWTH_MB, quarters
    assert last["nodes"] < 3 * second["nodes"] + 2000, quarters
    assert last["busy"] < 2 * second["busy"] + 0.05, quarters
