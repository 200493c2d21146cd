"""Who may place, change and cancel orders, and how many."""

from collections.abc import Mapping
from datetime import time
from typing import Any, Final

import pytest
from starlette.requests import Request

from algoexec.adapters.system_clock import SystemClock
from algoexec.simulation.generated import generated_day
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.errors import Refusal
from algoexec.simulator.users import User
from algoexec.simulator.users_file import Users

DAY: Final = generated_day()
ANN: Final = "user:ann"
HERE: Final = "127.0.0.1"


def listed(users: Mapping[str, Mapping[str, Any]]) -> Users:
    return Users.model_validate({"users": users})


def broker(clock: str = "10:00", users: Users | None = None) -> SimulatedBroker:
    return SimulatedBroker(DAY, SimulatorSettings(start=time.fromisoformat(clock), users=users), SystemClock())


def ordering(token: str | None = ANN, host: str = HERE) -> Request:
    headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
    return Request({"type": "http", "headers": headers, "client": (host, 1)})


def trading_refused(venue: SimulatedBroker, request: Request, orders: int = 1) -> tuple[int, str]:
    with pytest.raises(Refusal) as refused:
        venue.trader(request, orders=orders)
    return refused.value.status, refused.value.code


@pytest.mark.parametrize("token", [None, "bad-one", "user:ann:exp=10:00"])
def test_nobody_trades(token: str | None) -> None:
    assert trading_refused(broker(), ordering(token)) == (401, "UDAPI100050")


def test_the_11th_order_of_a_second_is_one_too_many_whatever_token_it_comes_with() -> None:
    venue = broker()
    for number in range(10):
        assert venue.trader(ordering(f"user:ann:{number}")) == User("ann")
    assert trading_refused(venue, ordering()) == (429, "UDAPI10005")
    assert venue.trader(ordering("user:bob")) == User("bob")
    assert venue.caller(ordering(), "order/retrieve-all") == User("ann"), "reading is counted apart"
    venue.clock.now_ms += 1000
    venue.trader(ordering())


def test_the_orders_of_a_call_fit_together_or_not_at_all() -> None:
    venue = broker()
    venue.trader(ordering(), orders=8)
    assert trading_refused(venue, ordering(), orders=3) == (429, "UDAPI10005")
    venue.trader(ordering(), orders=2)


def test_a_registered_algo_may_send_50_a_second() -> None:
    venue = broker(users=listed({"ann": {"registered_algo": True}}))
    venue.trader(ordering(), orders=50)
    assert trading_refused(venue, ordering()) == (429, "UDAPI10005")


def test_a_read_only_token_does_not_trade() -> None:
    venue = broker(users=listed({"ann": {"extended": True}}))
    assert trading_refused(venue, ordering()) == (401, "UDAPI100067")
    assert venue.caller(ordering(), "market-quote") == User("ann")


@pytest.mark.parametrize("clock", ["00:00", "05:29:59"])
def test_at_night_there_is_no_service(clock: str) -> None:
    venue = broker(clock)
    assert not venue.in_service()
    assert trading_refused(venue, ordering()) == (423, "UDAPI100072")
    assert venue.caller(ordering(), "user/profile") == User("ann")


@pytest.mark.parametrize("clock", ["05:30", "23:59:59"])
def test_service_begins_at_half_past_five_and_ends_at_midnight(clock: str) -> None:
    venue = broker(clock)
    assert venue.in_service()
    venue.trader(ordering())


def test_orders_come_from_a_registered_address_and_everything_else_from_anywhere() -> None:
    venue = broker(users=listed({"ann": {"static_ips": [HERE, "::1"]}, "bob": {}}))
    for host in (HERE, "::1", "::ffff:127.0.0.1"):
        venue.trader(ordering(host=host))
    assert trading_refused(venue, ordering(host="127.0.0.2")) == (403, "UDAPI1154")
    assert venue.caller(ordering(host="127.0.0.2"), "user/profile") == User("ann")
    venue.trader(ordering("user:bob", host="127.0.0.2"))


def test_who_must_have_an_address_and_has_none_does_not_trade() -> None:
    venue = broker(users=listed({"ann": {"require_static_ip": True}}))
    assert trading_refused(venue, ordering()) == (403, "UDAPI1154")


def test_what_is_refused_before_the_rate_is_not_counted() -> None:
    venue = broker(users=listed({"ann": {"static_ips": [HERE]}}))
    for _ in range(20):
        assert trading_refused(venue, ordering(host="127.0.0.2")) == (403, "UDAPI1154")
    venue.trader(ordering(), orders=10)
