"""The person who closes positions by hand in the broker's app while the service trades."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from algoexec.simulator.faults.effects import Hand
from algoexec.simulator.faults.events import Considered
from algoexec.simulator.faults.matching import Armed, Occasion, is_within, suits
from algoexec.simulator.faults.outcomes import HandAct, Position


class Contracts(Protocol):
    """What is known of instruments."""

    def names(self, instrument: str) -> tuple[str, ...]:
        """Return the names that a script may call an instrument by."""

    def lot(self, instrument: str) -> int:
        """Return an instrument's lot, in units."""


class PersonAtHand:
    """Says what the person does: each fault considers a position once, when its time has come."""

    def __init__(self, contracts: Contracts, note: Callable[[Considered], None]) -> None:
        """Know instruments by `contracts`; tell `note` of each fault that considers a position."""
        self._contracts: Final = contracts
        self._note: Final = note
        self._considered: dict[tuple[str, str, int], list[Armed]] = {}

    def remember(self, armed: Armed, event: Considered) -> None:
        """Know that a fault has considered a position before."""
        self._considered.setdefault((event.user, event.instrument, event.since_ms), []).append(armed)

    def acts(self, armed: Iterable[Armed], positions: Sequence[Position], now_ms: int) -> list[HandAct]:
        """Return what is due at `now_ms`; a second act on a position knows what the first has left."""
        left = {(one.user, one.instrument): abs(one.quantity) for one in positions}
        acts = []
        for fault in armed:
            for held in positions:
                units = left[held.user, held.instrument]
                if not isinstance(fault.effect, Hand) or not units or not self._strikes(fault, held, now_ms):
                    continue
                quantity = self._units(fault.effect, held.instrument, units)
                left[held.user, held.instrument] = units - quantity
                acts.append(
                    HandAct(
                        user=held.user,
                        instrument=held.instrument,
                        side="SELL" if held.quantity > 0 else "BUY",
                        quantity=quantity,
                    )
                )
        return acts

    def _strikes(self, armed: Armed, held: Position, now_ms: int) -> bool:
        when, hand = armed.fault.when, armed.effect
        considered = self._considered.get((held.user, held.instrument, held.since_ms), ())
        is_due = isinstance(hand, Hand) and now_ms >= held.since_ms + hand.after_s * 1000
        occasion = Occasion(user=held.user, instruments=self._contracts.names(held.instrument))
        if any(one is armed for one in considered) or not is_due:
            return False
        if not is_within(when, now_ms) or not suits(when, occasion):
            return False
        event = Considered(
            name=armed.script,
            place=armed.place,
            user=held.user,
            instrument=held.instrument,
            since_ms=held.since_ms,
        )
        self._note(event)
        self.remember(armed, event)
        return armed.strikes(occasion, now_ms)

    def _units(self, hand: Hand, instrument: str, units: int) -> int:
        match hand.sell:
            case "all":
                return units
            case "half":
                lot = self._contracts.lot(instrument)
                return min(units, max(units // 2 // lot * lot, lot))
            case wanted:
                return min(units, wanted)
