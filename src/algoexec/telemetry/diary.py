"""What a session decides, line by line, for who looks into it at level `debug`."""

from collections.abc import Sequence

from algoexec.engine.state import EngineState
from algoexec.ports.observer import Decision, Observer
from algoexec.telemetry.logs import LOUDNESS, logger

_log = logger("diary")


class Diary(Observer):
    """Logs each record of a session that is looked into, with what came of it; never what an event carries."""

    def decided(self, after: EngineState, decisions: Sequence[Decision]) -> None:
        """Log them, if anybody wants to read it."""
        if not LOUDNESS.is_logged("debug", after.session_id):
            return
        for entry, _ in decisions:
            _log.debug(
                "decided",
                session_id=after.session_id,
                seq=entry.record.seq,
                market_time=entry.record.at.isoformat(),
                of=type(entry.record.event).__name__,
                effects=[type(effect).__name__ for effect in entry.effects],
                frames=[f"{frame.type} {frame.number}" for frame in entry.frames],
            )

    def flushed(self, seconds: float, records: int) -> None:
        """Nothing: it is of no session."""
