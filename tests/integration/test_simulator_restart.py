"""The simulator is killed and started again: it is the same exchange, and its clock has not gone back."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import httpx

from algoexec import children
from tests.integration.simulating import ANN

HEADERS = {"Authorization": f"Bearer {ANN}"}


@contextmanager
def process(state: Path, *options: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """Run the simulator as a process of its own; it is killed at the end."""
    command = [sys.executable, "-m", "algoexec", "simulator", "--port=0", "--at=10:00", f"--state={state}", *options]
    child = children.spawn(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        url = json.loads(child.stdout.readline())["simulator"]
        with httpx.Client(base_url=url, headers=HEADERS, trust_env=False) as client:
            yield client, child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def order(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    """Return a bid for one lot of the strike at the money, far below the market."""
    contracts = client.get("/v2/option/contract", params={"instrument_key": "NSE_INDEX|Nifty Bank"}).json()["data"]
    nearest = min(row["expiry"] for row in contracts)
    spot = client.get("/v3/market-quote/ltp", params={"instrument_key": "NSE_INDEX|Nifty Bank"}).json()["data"]
    price = next(iter(spot.values()))["last_price"]
    chosen = min(
        (row for row in contracts if row["expiry"] == nearest and row["instrument_type"] == "CE"),
        key=lambda row: abs(row["strike_price"] - price),
    )
    body = {
        "quantity": chosen["lot_size"],
        "product": "I",
        "validity": "DAY",
        "price": 100.0,
        "instrument_token": chosen["instrument_key"],
        "order_type": "LIMIT",
        "transaction_type": "BUY",
        "disclosed_quantity": 0,
        "trigger_price": 0,
        "is_amo": False,
        "tag": "restart",
    }
    return {**body, **changes}


def book(client: httpx.Client) -> dict[str, Any]:
    """Return the exchange's own books, less what moves with the last price."""
    content: dict[str, Any] = client.get("/sim/book").json()["users"]
    for user in content.values():
        user.pop("cash")
    return content


def until_complete(client: httpx.Client, order_id: str) -> None:
    """Return once the exchange has filled an order; its book is not rate limited."""
    deadline = monotonic() + 20
    while True:
        orders = [order for user in client.get("/sim/book").json()["users"].values() for order in user["orders"]]
        if next(order["status"] for order in orders if order["id"] == order_id) == "complete":
            return
        assert monotonic() < deadline, "the order was not filled"


def test_a_killed_simulator_goes_on_as_the_same_exchange(tmp_path: Path) -> None:
    state = tmp_path / "exchange.jsonl"
    with process(state) as (client, child):
        resting = client.post("/v3/order/place", json=order(client)).json()["data"]["order_ids"]
        taken = client.post("/v3/order/place", json=order(client, order_type="MARKET", price=0, market_protection=-1))
        bought = taken.json()["data"]["order_ids"]
        until_complete(client, bought[0])
        client.post("/sim/pause")
        before, clock = book(client), client.get("/sim/clock").json()
        child.send_signal(signal.SIGKILL)
        child.wait()
    with process(state) as (client, _):
        again = client.get("/sim/clock").json()
        assert again["instance"] == clock["instance"]
        assert again["now_ms"] >= clock["now_ms"]
        assert book(client) == before
        cancelled = client.delete("/v3/order/cancel", params={"order_id": resting[0]})
        assert cancelled.status_code == 200, cancelled.text
        third = client.post("/v3/order/place", json=order(client)).json()["data"]["order_ids"]
        assert third[0] not in {*resting, *bought}


def held(client: httpx.Client) -> int:
    """Return the units that everybody holds."""
    users = client.get("/sim/book").json()["users"].values()
    return sum(position["net"] for user in users for position in user["positions"])


def bought(client: httpx.Client) -> str:
    """Buy four lots at the market; return the number of the order."""
    body = order(client, order_type="MARKET", price=0, market_protection=-1, quantity=120)
    (number,) = client.post("/v3/order/place", json=body).json()["data"]["order_ids"]
    return str(number)


def passed(client: httpx.Client, seconds: int) -> None:
    """Return when so many seconds have passed at the market."""
    until = client.get("/sim/clock").json()["now_ms"] + 1000 * seconds
    deadline = monotonic() + 20
    while client.get("/sim/clock").json()["now_ms"] < until:
        assert monotonic() < deadline, "the clock stands"


def test_faults_go_on_where_they_were_and_the_person_does_not_sell_twice(tmp_path: Path) -> None:
    state = tmp_path / "exchange.jsonl"
    hand = {"name": "hand", "imitates": "A test.", "faults": [{"do": {"hand": {"sell": "half", "after_s": 1}}}]}
    options = ("--speed=20", "--faults=exit-rejected")
    with process(state, *options) as (client, _):
        for script in ({"name": "silent-feed"}, hand):
            assert client.post("/sim/faults", json=script).status_code == 201
        assert client.delete("/sim/faults/silent-feed").status_code == 204
        bought(client)  # and rejected for its margin
        until_complete(client, bought(client))
        passed(client, 5)
        assert held(client) == 60, "half was sold by hand"
    with process(state, *options) as (client, _):
        active = {script["name"]: script["faults"] for script in client.get("/sim/faults").json()["active"]}
        assert list(active) == ["exit-rejected", "hand"]
        assert active["exit-rejected"][0]["hits"] == 1
        passed(client, 5)
        assert held(client) == 60
        until_complete(client, bought(client))


def test_tokens_that_were_ended_stay_ended(tmp_path: Path) -> None:
    state = tmp_path / "exchange.jsonl"
    with process(state) as (client, _):
        assert client.delete("/v2/logout").status_code == 200
    with process(state) as (client, _):
        assert client.get("/v2/user/profile").status_code == 401


def test_a_state_of_another_day_is_refused_in_one_line(tmp_path: Path) -> None:
    state = tmp_path / "exchange.jsonl"
    with process(state) as (client, _):
        assert client.get("/sim/clock").status_code == 200
    command = [sys.executable, "-m", "algoexec", "simulator", "--port=0", "--seed=8", f"--state={state}"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert "belongs to another day" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_two_simulators_do_not_share_a_state(tmp_path: Path) -> None:
    state = tmp_path / "exchange.jsonl"
    with process(state):
        command = [sys.executable, "-m", "algoexec", "simulator", "--port=0", f"--state={state}"]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert "in use by another simulator" in refused.stderr
