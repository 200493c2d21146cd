"""What a time server says of this machine's clock: one question by SNTP.

Source: RFC 5905 §7.3 (packet), §8 (offset). Enough to find a clock that is off by a second; not
a way to set it.
"""

import asyncio
import struct
from datetime import UTC, datetime, timedelta
from typing import Final

from algoexec.domain.errors import AlgoexecError
from algoexec.ports.clock import WallClock

PORT: Final = 123
_CLIENT: Final = bytes([0x23]) + bytes(47)
"""Version 4, mode 3."""
_PACKET: Final = struct.Struct("!B B b b 11I")
_EPOCH: Final = datetime(1900, 1, 1, tzinfo=UTC)
_SERVER_MODE: Final = 4


class NoTime(AlgoexecError):
    """The server gave no time; the message says why."""


async def clock_offset(host: str, clock: WallClock, *, port: int = PORT, within: float = 3.0) -> timedelta:
    """Return the server's time minus that of `clock`, less half the way there and back.

    Raises:
        NoTime: no answer within so many seconds, or none that can be believed.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    try:
        async with asyncio.timeout(within):
            transport, _ = await loop.create_datagram_endpoint(lambda: _Question(answer), remote_addr=(host, port))
            try:
                sent = clock.now()
                transport.sendto(_CLIENT)
                packet = await answer
                received = clock.now()
            finally:
                transport.close()
    except (OSError, TimeoutError) as error:
        raise NoTime(f"{host}: {error or 'no answer'}") from error
    there, back = _stamps(packet, host)
    return ((there - sent) + (back - received)) / 2


def _stamps(packet: bytes, host: str) -> tuple[datetime, datetime]:
    """Return when the server received the question and when it answered."""
    if len(packet) < _PACKET.size:
        raise NoTime(f"{host}: the answer is too short")
    first, stratum, _, _, *words = _PACKET.unpack_from(packet)
    if first & 7 != _SERVER_MODE or first >> 6 == 3 or not 0 < stratum < 16:
        raise NoTime(f"{host}: it does not know the time itself")
    received, sent = words[7:9], words[9:11]
    return _moment(*received), _moment(*sent)


def _moment(seconds: int, fraction: int) -> datetime:
    # The count of seconds begins anew in 2036: what is small is of the next era.
    era = 1 if seconds < 1 << 31 else 0
    return _EPOCH + timedelta(seconds=seconds + era * (1 << 32), microseconds=fraction * 1_000_000 / (1 << 32))


class _Question(asyncio.DatagramProtocol):
    def __init__(self, answer: "asyncio.Future[bytes]") -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Take the first answer."""
        if not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody is there."""
        if not self._answer.done():
            self._answer.set_exception(exc)
