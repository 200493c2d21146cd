"""From what sessions decide to people: chosen, limited, repeated until taken, and never in trading's way.

`decided` only appends to bounded queues. Each channel has a queue and a task of its own, so one
that hangs holds up no other. What does not fit is dropped, the oldest of what is least loud
first, and the next message says how many were.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from algoexec.adapters.alerts.channels import Channel, NotSent
from algoexec.adapters.alerts.notices import Kind, Notice, Standing, notices_of, standing_of
from algoexec.engine.effects import SessionChanged, Severity
from algoexec.engine.state import EngineState
from algoexec.ports.clock import WallClock
from algoexec.ports.observer import Decision, Observer
from algoexec.telemetry import logger

_log = logger("alerts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What people want to be told, and how much of it at most. Times are wall seconds.

    A channel sends `most` messages in `window`; the same message of one session is repeated after
    `quiet` at the earliest, unless it is critical. `depth` messages may wait; each is tried
    `attempts` times, the pauses between doubled from `pause` on.
    """

    kinds: frozenset[Kind] = frozenset(Kind) - {Kind.SIGNAL}
    severity: Severity = Severity.INFO
    most: int = 20
    window: float = 60.0
    quiet: float = 60.0
    depth: int = 200
    attempts: int = 6
    pause: float = 1.0


class Notifier(Observer):
    """Tells people; call `run`."""

    def __init__(self, channels: Iterable[Channel], clock: WallClock, choice: Choice | None = None) -> None:
        """Tell nobody yet."""
        self._choice: Final = choice or Choice()
        self._clock: Final = clock
        self._lanes: Final = [_Lane(channel, clock, self._choice) for channel in channels]
        self._standing: Final[dict[str, Standing]] = {}
        self._told_at: Final[dict[tuple[str | None, str], float]] = {}

    def decided(self, after: EngineState, decisions: Sequence[Decision]) -> None:
        """Tell people what they want to know of it."""
        for entry, _ in decisions:
            for frame in entry.frames:
                before = self._standing.get(after.session_id, Standing())
                for notice in notices_of(after, frame, before):
                    self.tell(notice)
                if isinstance(frame.body, SessionChanged):
                    self._standing[after.session_id] = standing_of(frame.body)
        if after.status.is_over:
            self._standing.pop(after.session_id, None)

    def flushed(self, seconds: float, records: int) -> None:
        """Nothing that people are told of."""

    def tell(self, notice: Notice) -> None:
        """Put a message on its way, if it is wanted."""
        choice = self._choice
        if notice.kind not in choice.kinds or not notice.is_at_least(choice.severity) or self._is_repeated(notice):
            return
        for lane in self._lanes:
            lane.put(notice)

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(lane.run())

    async def settled(self) -> None:
        """Return once nothing waits."""
        for lane in self._lanes:
            await lane.settled()

    def _is_repeated(self, notice: Notice) -> bool:
        """Return whether the same was told a moment ago: what flaps is told once in a while."""
        if notice.severity is Severity.CRITICAL or notice.kind in (Kind.TRADE, Kind.SIGNAL, Kind.LOGIN):
            return False
        now, key = self._clock.monotonic(), (notice.session_id, notice.code)
        for old in [one for one, at in self._told_at.items() if now - at >= self._choice.quiet]:
            del self._told_at[old]
        if key in self._told_at:
            return True
        self._told_at[key] = now
        return False


class _Lane:
    """What waits for one channel."""

    def __init__(self, channel: Channel, clock: WallClock, choice: Choice) -> None:
        self._channel, self._clock, self._choice = channel, clock, choice
        self._waiting: deque[Notice] = deque()
        self._news, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._sent: deque[float] = deque(maxlen=choice.most)
        self._dropped = 0

    def put(self, notice: Notice) -> None:
        if len(self._waiting) >= self._choice.depth:
            # The first of the quietest: `min` takes the oldest of several.
            self._waiting.remove(min(self._waiting, key=lambda one: list(Severity).index(one.severity)))
            self._dropped += 1
        self._waiting.append(notice)
        self._idle.clear()
        self._news.set()

    async def settled(self) -> None:
        await self._idle.wait()

    async def run(self) -> None:
        while True:
            await self._news.wait()
            while self._waiting:
                await self._take_turn()
                notice = self._waiting.popleft()
                if self._dropped:
                    notice = replace(notice, text=f"{notice.text} ({self._dropped} messages before it were dropped)")
                    self._dropped = 0
                await self._send(notice)
            self._news.clear()
            self._idle.set()

    async def _take_turn(self) -> None:
        """Wait until one more message may be sent."""
        if len(self._sent) == self._choice.most:
            left = self._sent[0] + self._choice.window - self._clock.monotonic()
            await asyncio.sleep(max(0.0, left))
        self._sent.append(self._clock.monotonic())

    async def _send(self, notice: Notice) -> None:
        pause = self._choice.pause
        for attempt in range(1, self._choice.attempts + 1):
            try:
                await self._channel.send(notice)
            except NotSent as error:
                if error.retry_after is None or attempt == self._choice.attempts:
                    _log.error("message not sent", channel=self._channel.name, code=notice.code, error=str(error))
                    return
                await asyncio.sleep(max(pause, error.retry_after))
                pause *= 2
            else:
                return
