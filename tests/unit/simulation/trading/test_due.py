"""The floor says when it wants to be woken: who has no steady stream of views keeps a timer by it."""

from tests.unit.simulation.trading.scripted import BUY, CLOSES, LATENCY, LOT, OPENS, SQUARES_OFF, Pit, limit, view


def test_the_floor_tells_when_something_happens_by_itself() -> None:
    pit = Pit(view(0, 100.0, asks=[(LOT, 100.0)]))
    assert pit.floor.due() == OPENS

    pit.until(OPENS)
    assert pit.floor.due() == SQUARES_OFF
    pit.place(OPENS + 5, limit(BUY, LOT, 100.0))
    assert pit.floor.due() == OPENS + 5 + LATENCY

    pit.until(CLOSES)
    assert pit.floor.due() is None
