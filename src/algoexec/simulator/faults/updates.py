"""Order updates on their way to a portfolio socket: doubled, late, overtaken, lost."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from algoexec.simulator.faults import effects
from algoexec.simulator.faults.matching import Occasion
from algoexec.simulator.faults.outcomes import Delivery


class _First(Protocol):
    def __call__[E: effects.Effect](self, kind: type[E], occasion: Occasion) -> E | None: ...


class UpdateFaults:
    """What becomes of each update. Nothing is kept but those held back until their user's next one."""

    def __init__(self, first: _First) -> None:
        """Ask `first` for the fault of a kind that strikes."""
        self._first: Final = first
        self._held: dict[str, list[Delivery]] = {}

    def deliveries(self, user: str, names: tuple[str, ...], message: Mapping[str, object]) -> Sequence[Delivery]:
        """Return what is sent in place of `message`, in order; `names` are those of its instrument."""
        occasion = Occasion(
            user=user,
            instruments=names,
            tags=_texts(message.get("tag")),
            sides=_texts(message.get("transaction_type")),
            status=str(message.get("status", "")),
        )
        if self._first(effects.DropUpdate, occasion) is not None:
            return ()
        delay = self._first(effects.DelayUpdate, occasion)
        doubled = self._first(effects.DuplicateUpdate, occasion)
        one = Delivery(delay_ms=0 if delay is None else delay.ms, message=message)
        told = [one] * (1 if doubled is None else 1 + doubled.times)
        if user not in self._held and self._first(effects.ReorderUpdate, occasion) is not None:
            self._held[user] = told
            return ()
        # Those that were held back must not overtake it again.
        return [*told, *(replace(held, delay_ms=max(held.delay_ms, one.delay_ms)) for held in self.release(user))]

    def release(self, user: str) -> Sequence[Delivery]:
        """Return and forget what is held back for a user."""
        return self._held.pop(user, [])


def _texts(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else ()
