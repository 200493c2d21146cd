"""A client that keeps what it is told: over drops, over restarts of the service."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from algoexec.domain.calendar import IST
from tests.e2e.stack import Frame, Service, frames

LINE = ("at", "side", "pattern", "price", "stop_loss", "target", "pcr", "reason")


class Client:
    """Follows one session, resuming by its last cursor, until the session is over."""

    def __init__(self, service: Service, session_id: str) -> None:
        """Know nothing yet; call `follow`."""
        self._service = service
        self._session_id = session_id
        self._cursor = "0"
        self._heard = asyncio.Event()
        self.numbered: list[Frame] = []
        self.pnl: list[Frame] = []
        self.is_over = False

    async def follow(self) -> None:
        """Collect numbered frames until the session has stopped."""
        while not self.is_over:
            try:
                await self._once()
            except (ConnectionClosed, InvalidHandshake, OSError):
                await asyncio.sleep(0.1)  # the service is away; no condition of ours tells when it is back

    async def _once(self) -> None:
        async for frame in frames(self._service, f"?session_id={self._session_id}&since={self._cursor}"):
            assert frame["type"] != "gap", frame
            if frame["type"] == "pnl":
                self.pnl.append(frame)
            elif frame.get("seq") is not None:
                self.numbered.append(frame)
                self._cursor = frame["cursor"]
                self.is_over = frame["type"] == "session" and frame["data"]["status"] in ("STOPPED", "FAILED")
            self._heard.set()
            self._heard = asyncio.Event()
            if self.is_over:
                return

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once `holds()`, which only what is heard here can change."""
        while not holds():
            await self._heard.wait()

    async def candle_closed(self, clock: time) -> None:
        """Return once the candle that closes at `clock` (IST) or a later one has come."""
        await self.until(lambda: any(closes(candle) >= clock for candle in self.of("candle")))

    def of(self, kind: str) -> list[Frame]:
        """Return the numbered frames of one type."""
        return [frame for frame in self.numbered if frame["type"] == kind]

    def lines(self) -> list[dict[str, Any]]:
        """Return signals and rejections in their order, with the keys that `algoexec signals` prints."""
        found = [frame for frame in self.numbered if frame["type"] in ("signal", "rejection")]
        return [{"kind": frame["type"], **{key: frame["data"][key] for key in LINE}} for frame in found]


def moment(frame: Frame) -> datetime:
    """Return the market time of a frame."""
    return datetime.fromisoformat(frame["at"])


def closes(candle: Frame) -> time:
    """Return when a candle frame's minute was over, IST."""
    start = datetime.fromisoformat(candle["data"]["start"]).astimezone(IST)
    return (start + timedelta(minutes=1)).time()


def comparable(lines: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    """Return lines of either source as tuples, times in UTC."""
    keys = ("kind", *LINE)
    return [
        tuple(datetime.fromisoformat(line[k]).astimezone(UTC) if k == "at" else line[k] for k in keys) for line in lines
    ]
