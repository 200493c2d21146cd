"""A socket's way out, on which frames get lost and sockets die."""

from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

from algoexec.simulator.faults.effects import CloseSocket, GarbageFrame, HalfOpen, Stall, TruncatedFrame
from algoexec.simulator.faults.injector import FaultInjector

type Frame = bytes | str

_NO_CODE: Final = 1006
"""A close code that is never sent: it says that the connection ended without one. Source: RFC 6455, 7.4.1."""
_GARBAGE_LENGTH: Final = 64


class Transport(Protocol):
    """What a line may do to the connection below it."""

    def fall_silent(self) -> None:
        """Send and answer nothing any more, and ignore what comes; the TCP connection stays."""


@dataclass(frozen=True, slots=True)
class Closing:
    """In place of a frame: end the socket with this code once everything before it is sent."""

    code: int

    @property
    def is_cut(self) -> bool:
        """Whether it ends without a closing frame."""
        return self.code == _NO_CODE


class FaultyLine:
    """One socket's frames on their way out. `path` is where clients ask for its stream."""

    def __init__(self, injector: FaultInjector, *, path: str, user: str, transport: Transport | None) -> None:
        """Without `transport` a socket cannot fall silent; it loses its frames all the same."""
        self._injector: Final = injector
        self._path: Final = path
        self._user: Final = user
        self._transport: Final = transport
        self._stalled_until_ms = 0
        self._carried = 0
        self.is_dead = False
        """Nothing will go out any more; whoever waits for this socket would wait for ever."""

    @property
    def is_open(self) -> bool:
        """Whether frames get through now."""
        return not self.is_dead and self._injector.now_ms >= self._stalled_until_ms

    def carry(self, frame: Frame) -> Frame | Closing | None:
        """Return what goes out in place of `frame`; None is nothing."""
        if not self.is_open:
            return None
        self._carried += 1
        match self._injector.frame(path=self._path, user=self._user):
            case None:
                return frame
            case Stall(seconds=seconds):
                self._stalled_until_ms = self._injector.now_ms + round((seconds or 0.0) * 1000)
                return None
            case CloseSocket(code=code):
                self.is_dead = True
                return Closing(code)
            case HalfOpen():
                self.is_dead = True
                if self._transport is not None:
                    self._transport.fall_silent()
                return None
            case GarbageFrame():
                return self._garbage(frame)
            case TruncatedFrame():
                return frame[: len(frame) // 2]

    def _garbage(self, frame: Frame) -> Frame:
        noise = Random(f"{self._user}|{self._carried}").randbytes(_GARBAGE_LENGTH)
        # 0xff is a field of a wire type that protobuf does not have: no reader may take it for a message.
        return b"\xff" + noise if isinstance(frame, bytes) else noise.hex()
