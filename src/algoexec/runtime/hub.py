"""From one session to everybody who watches it, without ever holding the session up."""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from algoexec.engine.effects import Frame
from algoexec.ports.clock import WallClock
from algoexec.runtime.conflation import Conflation
from algoexec.runtime.watcher import Directory, EndReason, Filter, HubOptions, Watcher
from algoexec.runtime.wire import encode, unnumbered


class ReadFrames(Protocol):
    """The journal's numbered frames: `number > after`, in order, at most `limit`."""

    def __call__(self, session_id: str, after: int, limit: int) -> Awaitable[Sequence[Frame]]:
        """Return them."""


class _Volatile(NamedTuple):
    session_id: str
    user_id: str
    type: str
    at: datetime
    data: Mapping[str, Any]


class StreamHub:
    """Hands frames to watchers. Frames are published once they are durable, so what was missed can be read.

    `publish` only appends to queues: it never awaits, and a watcher that does not keep up is
    dropped with a reason instead of waited for.
    """

    def __init__(self, frames: ReadFrames, clock: WallClock, options: HubOptions | None = None) -> None:
        """Publish to nobody yet; `frames` is where a resuming watcher reads what it missed."""
        self._frames: Final = frames
        self._clock: Final = clock
        self._options: Final = options or HubOptions()
        self._volatile: Final = Conflation(self._options.conflation, self._tell_volatile)
        self._of_session: Final[dict[str, set[Watcher]]] = {}
        self._of_user: Final[dict[str, set[Watcher]]] = {}
        self._of_all: Final[set[Watcher]] = set()
        self._closed: str | None = None
        self.watching = 0
        self.dropped = 0
        self.published = 0

    def publish(self, session_id: str, user_id: str, frames: Sequence[Frame]) -> None:
        """Hand out numbered frames of one session, in order. They must be in the journal."""
        self.published += len(frames)
        now = self._clock.monotonic()
        audience = self._audience(session_id, user_id)
        if not audience:
            return
        for frame in frames:
            if frame.type == "candle":
                # Its minute is over: what was to be told of it while it ran would come after its end.
                self._volatile.drop((session_id, "candle_update"))
            encoded = encode(session_id, frame)
            encoded.published_at = now
            for watcher in audience:
                watcher.offer(encoded)

    def publish_volatile(
        self,
        session_id: str,
        user_id: str,
        type: str,
        at: datetime,
        data: Mapping[str, Any],
    ) -> None:
        """Hand out a frame of which only the newest matters: some a second at most, to a slow watcher fewer."""
        self._volatile.put((session_id, type), _Volatile(session_id, user_id, type, at, data))

    def watch(self, wanted: Filter, directory: Directory, since: str | None = None) -> Watcher:
        """Return a watcher that already collects, so that nothing falls between it and the replay.

        `since` is a cursor, or with a `session_id` a plain number; None begins with a
        snapshot. Use it as an async context manager: leaving it ends the watch.
        """
        watcher = Watcher(self._frames, self._clock, self._options, wanted, directory, since, self._leave)
        self._seats(wanted).add(watcher)
        self.watching += 1
        if self._closed is not None:
            watcher.end(EndReason.RESTART, self._closed)
        return watcher

    def lag(self) -> float:
        """Return how many seconds ago the oldest frame was published that somebody still has to be sent."""
        waiting = [watcher.oldest() for watcher in self._watchers()]
        return self._clock.monotonic() - min((at for at in waiting if at is not None), default=self._clock.monotonic())

    def close(self, reason: str) -> None:
        """End every watch, now and from now on: the process is about to stop."""
        self._closed = reason
        for watcher in self._watchers():
            watcher.end(EndReason.RESTART, reason)

    def _watchers(self) -> list[Watcher]:
        everybody = [self._of_all, *self._of_user.values(), *self._of_session.values()]
        return [watcher for seats in everybody for watcher in seats]

    def _tell_volatile(self, told: _Volatile) -> None:
        audience = self._audience(told.session_id, told.user_id)
        if not audience:
            return
        message = unnumbered(told.type, told.session_id, told.at, told.data)
        for watcher in audience:
            watcher.offer_volatile(told.session_id, message)

    def _audience(self, session_id: str, user_id: str) -> tuple[Watcher, ...]:
        return (*self._of_session.get(session_id, ()), *self._of_user.get(user_id, ()), *self._of_all)

    def _seats(self, wanted: Filter) -> set[Watcher]:
        if wanted.session_id is not None:
            return self._of_session.setdefault(wanted.session_id, set())
        if wanted.user_id is not None:
            return self._of_user.setdefault(wanted.user_id, set())
        return self._of_all

    def _leave(self, watcher: Watcher) -> None:
        """Forget a watcher; called once, when it ends for whatever reason."""
        wanted = watcher.wanted
        self._seats(wanted).discard(watcher)
        if wanted.session_id is not None and not self._of_session[wanted.session_id]:
            del self._of_session[wanted.session_id]
        elif wanted.session_id is None and wanted.user_id is not None and not self._of_user[wanted.user_id]:
            del self._of_user[wanted.user_id]
        self.watching -= 1
        if watcher.ended is EndReason.TOO_SLOW:
            self.dropped += 1
