"""What `make run` prints of signals and orders."""

from dataclasses import replace

import orjson
import pytest

from algoexec.cli.follow import lines
from algoexec.engine.effects import Frame, FrameBody, OrderNews
from algoexec.runtime.wire import encode
from tests.contract.given import minute, signal
from tests.contract.given_trading import offer, order, refusal


def printed(body: FrameBody) -> list[str]:
    frame = Frame(number=1, at=minute(0), body=body)
    return list(lines(orjson.loads(encode("s1", frame).head + "}")))


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (offer("s1-1-0"),
         "09:30:00  OFFER      BUY 70 at 212.35  risk 2972.90  until 09:39:00: POST /orders/s1-1-0/approve"),
        (offer("s1-1-0", "asha"), "09:30:00  OFFER      BUY 70 at 212.35  risk 2972.90  approved by asha"),
        (replace(order("s1-1-0"), filled=35, average_price=212.2),
         "09:30:00  ORDER      BUY  35 at 212.35  SENDING  filled 35 at 212.20"),
        (refusal("s1-1-0"), "09:30:00  no order   MAX_TRADES: 20 trades were begun today"),
    ],
)  # fmt: skip
def test_an_order_is_a_line(body: OrderNews, line: str) -> None:
    assert printed(body) == [line]


@pytest.mark.parametrize(
    ("premium", "points", "rest"),
    [(None, None, ""), (212.3, 1.86, "  premium 212.30 breaks even at +1.86")],
)
def test_a_signal_says_what_it_costs(premium: float | None, points: float | None, rest: str) -> None:
    [line] = printed(replace(signal("s1-1-0", 0), premium=premium, breakeven_points=points))
    assert (
        line == f"09:30:00  SIGNAL     BUY_CALL HAMMER               at 51050.25  stop 50948.15  target 51254.45{rest}"
    )
