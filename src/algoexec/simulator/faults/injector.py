"""All active faults, asked room by room: requests, orders, updates, the person, sockets, market data, the clock.

The first fault of a kind that strikes is the only one of that kind (of a frame: the only one);
those after it neither see nor count the occasion.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

from algoexec.domain.instruments import Future, Option
from algoexec.simulation.trading.intervention import Intervention
from algoexec.simulator.faults import effects
from algoexec.simulator.faults.events import Considered, FaultEvent, ScriptBegun, ScriptEnded, Struck
from algoexec.simulator.faults.hand import PersonAtHand
from algoexec.simulator.faults.matching import Armed, Occasion
from algoexec.simulator.faults.outcomes import Delivery, HandAct, Position, RequestFault
from algoexec.simulator.faults.script import Script
from algoexec.simulator.faults.updates import UpdateFaults

_REQUEST: Final = (effects.Latency, effects.Cut, effects.Answer)


class FaultInjector:
    """The faults of a running simulator. The same scripts and the same occasions give the same faults.

    `on_event` is called with each event before its effect shows. Whoever keeps the events hands them to
    `replay` at the next start.
    """

    def __init__(self, now_ms: Callable[[], int], contracts: Mapping[str, Future | Option]) -> None:
        """Strike nowhere yet. `now_ms` is the market clock; `contracts` give names and lots to keys."""
        self._now_ms: Final = now_ms
        self._contracts: Final = contracts
        self._scripts: dict[str, tuple[Script, list[Armed]]] = {}
        self._by_kind: dict[type[effects.Effect], list[Armed]] = {}
        self._of_streams: list[Armed] = []
        self._updates: Final = UpdateFaults(self.first)
        self._person: Final = PersonAtHand(self, lambda event: self.on_event(event))
        self.on_event: Callable[[FaultEvent], None] = _ignored

    # --- scripts ---------------------------------------------------------------------------------------------------

    def add(self, script: Script) -> None:
        """Activate a script from now on; one of the same name begins anew."""
        self._record(ScriptBegun(name=script.name, script=script))

    def ensure(self, scripts: Iterable[Script]) -> None:
        """Activate those of the scripts that are not active as they are."""
        for script in scripts:
            if script not in [active for active, _ in self.active()]:
                self.add(script)

    def remove(self, name: str) -> bool:
        """Let a script go; False when it is not active."""
        if name not in self._scripts:
            return False
        self._record(ScriptEnded(name=name))
        return True

    def clear(self) -> None:
        """Let all scripts go."""
        for name in list(self._scripts):
            self.remove(name)

    def replay(self, event: FaultEvent) -> None:
        """Let an event of an earlier process of the same run have its effect again."""
        match event:
            case ScriptBegun(name=name, script=script):
                self._scripts[name] = (script, self._armed(script))
            case ScriptEnded(name=name):
                self._scripts.pop(name, None)
            case Struck(seen=seen, hits=hits):
                for armed in self._at(event.name, event.place):
                    armed.seen, armed.hits = seen, hits
            case Considered():
                for armed in self._at(event.name, event.place):
                    self._person.remember(armed, event)
            case _:
                raise TypeError(f"{type(event).__name__} is no event of the faults")
        self._sort()

    def _record(self, event: FaultEvent) -> None:
        self.on_event(event)
        self.replay(event)

    def _armed(self, script: Script) -> list[Armed]:
        return [
            Armed(script.name, script.seed, place, fault, self._struck) for place, fault in enumerate(script.faults)
        ]

    def _struck(self, armed: Armed) -> None:
        self.on_event(Struck(name=armed.script, place=armed.place, seen=armed.seen, hits=armed.hits))

    def _at(self, name: str, place: int) -> list[Armed]:
        """Return the fault at a place of an active script, or nothing."""
        return self._scripts[name][1][place : place + 1] if name in self._scripts else []

    def active(self) -> Sequence[tuple[Script, Sequence[Armed]]]:
        """Return the active scripts with the counts of their faults, in the order of their activation."""
        return list(self._scripts.values())

    def _sort(self) -> None:
        everything = list(chain.from_iterable(faults for _, faults in self._scripts.values()))
        self._by_kind = {}
        for armed in everything:
            self._by_kind.setdefault(type(armed.effect), []).append(armed)
        self._of_streams = [armed for armed in everything if isinstance(armed.effect, effects.STREAM)]

    # --- requests --------------------------------------------------------------------------------------------------

    @property
    def meets_requests(self) -> bool:
        """Whether any active fault could strike a request."""
        return any(kind in self._by_kind for kind in _REQUEST)

    def request(self, occasion: Occasion) -> RequestFault | None:
        """Return what befalls a request; None is nothing."""
        latency = self.first(effects.Latency, occasion)
        cut = self.first(effects.Cut, occasion)
        answer = None if cut is not None else self.first(effects.Answer, occasion)
        if latency is None and cut is None and answer is None:
            return None
        return RequestFault(
            before_s=0.0 if latency is None else latency.before_ms / 1000,
            after_s=0.0 if latency is None else latency.after_ms / 1000,
            cut=None if cut is None else cut.at,
            answer=answer,
        )

    # --- orders ----------------------------------------------------------------------------------------------------

    def order(self, *, user: str, instrument: str, side: str, tag: str | None, quantity: int) -> Intervention | None:
        """Return what befalls an order that is placed; None is nothing. `side` is BUY or SELL, `quantity` in units."""
        occasion = self._order(user, instrument, side, tag)
        reject = self.first(effects.Reject, occasion)
        partial = self.first(effects.Partial, occasion)
        latency = self.first(effects.ExchangeLatency, occasion)
        if reject is None and partial is None and latency is None:
            return None
        return Intervention(
            reject=None if reject is None else reject.words,
            fill_at_most=None if partial is None else self._filled(partial, instrument, quantity),
            latency_ms=None if latency is None else latency.ms,
        )

    def change(self, *, user: str, instrument: str, side: str, tag: str | None) -> Intervention | None:
        """Return what befalls the change of an order; None is nothing. How much is filled is the order's own."""
        occasion = self._order(user, instrument, side, tag)
        reject = self.first(effects.Reject, occasion)
        latency = self.first(effects.ExchangeLatency, occasion)
        if reject is None and latency is None:
            return None
        return Intervention(
            reject=None if reject is None else reject.words, latency_ms=None if latency is None else latency.ms
        )

    def cancel(self, *, user: str, instrument: str, side: str, tag: str | None) -> Intervention | None:
        """Return what befalls an order that is being cancelled; None is nothing."""
        filled = self.first(effects.FillsBeforeCancel, self._order(user, instrument, side, tag))
        return None if filled is None else Intervention(fills_before_cancel=True)

    def _order(self, user: str, instrument: str, side: str, tag: str | None) -> Occasion:
        tags = () if tag is None else (tag,)
        return Occasion(user=user, instruments=self.names(instrument), tags=tags, sides=(side,))

    def _filled(self, partial: effects.Partial, instrument: str, quantity: int) -> int:
        if partial.units is not None:
            return min(partial.units, quantity)
        lot = self.lot(instrument)
        return int(quantity * (partial.fraction or 0.0)) // lot * lot

    # --- order updates ---------------------------------------------------------------------------------------------

    def updates(self, user: str, message: Mapping[str, object]) -> Sequence[Delivery]:
        """Return what the user's socket gets in place of an update: nothing, the same, more, or late."""
        names = self.names(str(message.get("instrument_key") or message.get("instrument_token") or ""))
        return self._updates.deliveries(user, names, message)

    def held_updates(self, user: str) -> Sequence[Delivery]:
        """Return and forget the updates held back until a next one, for when there will be none."""
        return self._updates.release(user)

    # --- the person ------------------------------------------------------------------------------------------------

    def due_acts(self, positions: Iterable[Position]) -> list[HandAct]:
        """Return what the person does by hand now; each is told once, so it must be carried out."""
        armed = self._by_kind.get(effects.Hand, ())
        return self._person.acts(armed, list(positions), self._now_ms()) if armed else []

    # --- sockets ---------------------------------------------------------------------------------------------------

    def frame(self, *, path: str, user: str) -> effects.StreamFault | None:
        """Return what befalls a frame about to go out on a socket; `path` is where clients ask for the stream."""
        for armed in self._of_streams:
            fault = armed.effect
            if isinstance(fault, effects.STREAM) and armed.strikes(Occasion(path=path, user=user), self._now_ms()):
                return fault
        return None

    @property
    def now_ms(self) -> int:
        """The market clock."""
        return self._now_ms()

    # --- market data -----------------------------------------------------------------------------------------------

    def book(self, instrument: str, at_ms: int) -> effects.FaultyBook | None:
        """Return what is wrong with a book at a moment; None is nothing."""
        return self._holding(effects.FaultyBook, instrument, at_ms)

    def is_silent(self, instrument: str, at_ms: int) -> bool:
        """Return whether the feed tells nothing of an instrument at a moment."""
        return self._holding(effects.NoTicks, instrument, at_ms) is not None

    def chain(self, *, user: str) -> effects.FaultyChain | None:
        """Return what is wrong with an answer with a chain; None is nothing."""
        return self.first(effects.FaultyChain, Occasion(user=user))

    def candles(self, *, path: str, instrument: str) -> effects.CandleGap | None:
        """Return which candles an answer lacks; None is none."""
        return self.first(effects.CandleGap, Occasion(path=path, instruments=self.names(instrument)))

    def skew_ms(self, *, of: str) -> int:
        """Return by how much the feed's stamps of the `server` or the `exchange` are off now, in milliseconds."""
        for armed in self._by_kind.get(effects.ClockSkew, ()):
            skew = armed.effect
            if isinstance(skew, effects.ClockSkew) and skew.of in (of, "both") and armed.holds(Occasion(), self.now_ms):
                return skew.ms
        return 0

    # --- what the rooms share --------------------------------------------------------------------------------------

    def first[E: effects.Effect](self, kind: type[E], occasion: Occasion) -> E | None:
        """Return the first fault of a kind that strikes now; None when none does."""
        for armed in self._by_kind.get(kind, ()):
            effect = armed.effect
            if isinstance(effect, kind) and armed.strikes(occasion, self._now_ms()):
                return effect
        return None

    def _holding[E: effects.Effect](self, kind: type[E], instrument: str, at_ms: int) -> E | None:
        armed = self._by_kind.get(kind)
        if not armed:
            return None
        occasion = Occasion(instruments=self.names(instrument))
        for one in armed:
            effect = one.effect
            if isinstance(effect, kind) and one.holds(occasion, at_ms):
                return effect
        return None

    def names(self, instrument: str) -> tuple[str, ...]:
        """Return the names that a script may call an instrument by: its key and its contract's name."""
        contract = self._contracts.get(instrument)
        return (instrument,) if contract is None else (instrument, contract.name)

    def lot(self, instrument: str) -> int:
        """Return an instrument's lot in units; 1 when it is no listed contract."""
        contract = self._contracts.get(instrument)
        return 1 if contract is None else contract.lot


def _ignored(event: FaultEvent) -> None:
    """Nobody keeps it."""
