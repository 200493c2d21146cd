"""A user's own brake on a segment. Source: Upstox's Kill Switch documentation, 2026.

At the broker a change holds with the next token; here it holds at once.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol, cast, get_args

from algoexec.simulator.errors import Refusal, invalid_input
from algoexec.simulator.users import User
from algoexec.simulator.users_file import Account, Segment

SEGMENTS: Final[tuple[Segment, ...]] = get_args(Segment.__value__)
COOLING_MS: Final = 12 * 3_600_000
"""A segment that was switched off stays off this long, in market time."""


class Trading(Protocol):
    """What the kill switch must know, and do, of a user's trading."""

    def has_open_position(self, user: User, segment: Segment) -> bool:
        """Whether the user holds anything in the segment."""

    def cancel_pending(self, user: User, segment: Segment) -> None:
        """Cancel the user's orders that wait in the segment."""


class Switches(NamedTuple):
    """What a request asks for."""

    disable: tuple[Segment, ...]
    enable: tuple[Segment, ...]


def requested(body: object) -> Switches:
    """Return what a request asks for.

    Raises:
        Refusal: it makes no sense. A segment that is named twice makes none: a guess.
    """
    if not isinstance(body, list) or not body:
        raise invalid_input("A list of segments and actions is required")
    pairs = [_parsed(item) for item in body]
    segments = [segment for segment, _ in pairs]
    if len(set(segments)) < len(segments):
        raise invalid_input("A segment is named twice")
    return Switches(
        disable=tuple(segment for segment, action in pairs if action == "DISABLE"),
        enable=tuple(segment for segment, action in pairs if action == "ENABLE"),
    )


def _parsed(item: object) -> tuple[Segment, str]:
    fields = item if isinstance(item, dict) else {}
    segment, action = fields.get("segment"), fields.get("action")
    if segment not in SEGMENTS:
        raise Refusal(400, "UDAPI1186", "The specified segment does not exist.")
    if action not in ("ENABLE", "DISABLE"):
        raise Refusal(400, "UDAPI1188", "Invalid action. Allowed values are ENABLE and DISABLE.")
    return cast(Segment, segment), str(action)


class Brake:
    """One user's switches. `killed` holds when each segment was switched off, in market milliseconds."""

    def __init__(self, user: User, account: Account, killed: Mapping[str, int]) -> None:
        """Judge by what holds now."""
        self._user = user
        self._account = account
        self._killed = killed

    def rows(self) -> list[dict[str, object]]:
        """Return every segment as the broker tells it: the account's state and the switch are independent."""
        return [
            {
                "segment": segment,
                "segment_status": "INACTIVE" if segment in self._account.disabled_segments else "ACTIVE",
                "kill_switch_enabled": segment in self._killed,
            }
            for segment in SEGMENTS
        ]

    def changes(self, wanted: Switches, trading: Trading, now_ms: int) -> Switches:
        """Return what a request changes: one that asks for what holds already changes nothing.

        Raises:
            Refusal: a part of it is not allowed, so nothing of it is.
        """
        disable = tuple(segment for segment in wanted.disable if segment not in self._killed)
        enable = tuple(segment for segment in wanted.enable if segment in self._killed)
        for segment in disable:
            self._require_flat(segment, trading)
        if any(now_ms < self._killed[segment] + COOLING_MS for segment in enable):
            raise Refusal(400, "UDAPI1185", "Cannot enable segment — cooling period is still in effect.")
        return Switches(disable, enable)

    def require(self, segment: str) -> None:
        """Let a new order pass into a segment that is open to the user.

        Raises:
            Refusal: it is not. The code is a guess.
        """
        if segment in self._account.disabled_segments:
            raise invalid_input(f"Segment {segment} is not active for this account")
        if segment in self._killed:
            raise invalid_input(f"Segment {segment} is disabled by the kill switch")

    def _require_flat(self, segment: Segment, trading: Trading) -> None:
        if segment in self._account.disabled_segments:
            # That it is refused is documented, the code is a guess.
            raise invalid_input(f"Segment {segment} is inactive: the kill switch cannot be enabled")
        if trading.has_open_position(self._user, segment):
            raise Refusal(400, "UDAPI1184", "Segment status cannot be changed until all open positions are closed.")
