"""How a step is written down: changes to the state, effects and frames, in order."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from algoexec.engine.effects import Alert, Effect, Frame, FrameBody, SessionChanged, Severity, Status
from algoexec.engine.state import EngineState


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What one record leads to."""

    state: EngineState
    effects: tuple[Effect, ...] = ()
    frames: tuple[Frame, ...] = ()


@dataclass(slots=True)
class Draft:
    """A transition being written. Lives within one call of `step` and never leaves it."""

    state: EngineState
    at: datetime
    effects: list[Effect] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)

    def change(self, **fields: Any) -> None:
        """Replace fields of the state."""
        self.state = replace(self.state, **fields)

    def do(self, effect: Effect) -> None:
        """Ask the shell for something."""
        self.effects.append(effect)

    def tell(self, body: FrameBody) -> None:
        """Add the next numbered frame."""
        number = self.state.frames + 1
        self.frames.append(Frame(number=number, at=self.at, body=body))
        self.change(frames=number)

    def alert(self, severity: Severity, code: str, message: str) -> None:
        """Tell a person."""
        self.tell(Alert(severity=severity, code=code, message=message))

    def tell_session(self) -> None:
        """Tell where the session stands."""
        state = self.state
        lock = None if state.trading is None else state.trading.tally.lock
        self.tell(
            SessionChanged(status=state.status, reason=state.reason, halted=state.halted, feed=state.feed, lock=lock)
        )

    def move_to(self, status: Status, reason: str | None = None) -> None:
        """Change the status and tell it; the same status and reason again say nothing."""
        if (status, reason) != (self.state.status, self.state.reason):
            self.change(status=status, reason=reason)
            self.tell_session()

    def finish(self) -> Transition:
        """Return what was written."""
        return Transition(state=self.state, effects=tuple(self.effects), frames=tuple(self.frames))
