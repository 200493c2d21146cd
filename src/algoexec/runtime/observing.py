"""Several observers as one, none of whom can do harm."""

from collections.abc import Callable, Iterable, Sequence

from algoexec.engine.state import EngineState
from algoexec.ports.observer import Decision, Observer
from algoexec.telemetry import logger

_log = logger("observers")


class Observers(Observer):
    """Tells all of them. One that fails is told nothing more: trading does not depend on it."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        """Tell them in this order."""
        self._observers = list(observers)

    def decided(self, after: EngineState, decisions: Sequence[Decision]) -> None:
        """Pass it on."""
        if decisions:
            self._each(lambda observer: observer.decided(after, decisions))

    def flushed(self, seconds: float, records: int) -> None:
        """Pass it on."""
        self._each(lambda observer: observer.flushed(seconds, records))

    def _each(self, tell: Callable[[Observer], None]) -> None:
        for observer in tuple(self._observers):
            try:
                tell(observer)
            except Exception:  # noqa: BLE001 - whatever is wrong with who watches, what is watched goes on
                _log.exception("observer failed and is left out", observer=type(observer).__name__)
                self._observers.remove(observer)
