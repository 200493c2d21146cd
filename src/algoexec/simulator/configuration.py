"""How a simulator plays its day."""

from dataclasses import dataclass
from datetime import time
from typing import Final

from algoexec.simulator.users_file import Users

OPEN: Final = time(9, 15)
LONGEST_STEP_MS: Final = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """How a simulator plays its day.

    `start` is where the market clock begins, IST. `speed` is market seconds per wall second;
    None plays as fast as the subscribers acknowledge, and at 60 while there is none.
    `paced` holds the clock while a feed socket has unsent or unconfirmed frames.

    Every `frames_per_ping` frames a ping is sent; a socket is settled while at most twice as
    many frames lie behind its newest pong. So a client that does not read holds a paced clock,
    and is at most that many frames (and what its own library buffers) behind it.

    `feeds_per_user` holds for users of whom the users file says neither plan nor number.

    Raises:
        ValueError: a speed, step or count that is not positive, or a step above 250 ms.
    """

    start: time = OPEN
    speed: float | None = 1.0
    paced: bool = False
    step_ms: int = LONGEST_STEP_MS
    feeds_per_user: int = 1
    frames_per_ping: int = 16
    idle_ping_s: float = 5.0
    most_unsent_frames: int = 20_000
    """An unpaced socket with more than these unsent is dropped: it would never catch up."""
    rate_limits: bool = True
    users: Users | None = None
    """What the users file says; None: there is none, and every token is an account of its own."""

    def __post_init__(self) -> None:
        """Refuse what cannot be played."""
        if self.speed is not None and self.speed <= 0:
            raise ValueError(f"speed is {self.speed}: it must be positive")
        if not 0 < self.step_ms <= LONGEST_STEP_MS:
            raise ValueError(f"step_ms is {self.step_ms}: it must be 1 … {LONGEST_STEP_MS}, else ticks would merge")
        if min(self.feeds_per_user, self.frames_per_ping, self.most_unsent_frames) < 1:
            raise ValueError("feeds_per_user, frames_per_ping and most_unsent_frames must be at least 1")

    @property
    def window(self) -> int:
        """How many frames may lie behind the newest pong of a settled socket."""
        return 2 * self.frames_per_ping

    @property
    def waits_for_subscribers(self) -> bool:
        """Whether the clock stands while feed sockets have not taken what was sent."""
        return self.paced or self.speed is None
