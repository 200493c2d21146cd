"""What befalls one order beside the rules: a test's or a fault script's hand in the market."""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """What befalls one order; by default nothing does.

    `reject` is the text with which the broker's risk management rejects it. `fill_at_most` is in
    units: so much is filled, then the order stands whatever the market does. `latency_ms` is
    market time to the exchange, None the usual. `fills_before_cancel`: a cancellation finds the
    order filled at its own limit.
    """

    reject: str | None = None
    fill_at_most: int | None = None
    latency_ms: int | None = None
    fills_before_cancel: bool = False

    def after(self, units: int) -> "Intervention":
        """Return what befalls the next slice of an order whose slices before it have so many units."""
        if self.fill_at_most is None:
            return self
        return replace(self, fill_at_most=max(0, self.fill_at_most - units))


NOTHING: Final = Intervention()
