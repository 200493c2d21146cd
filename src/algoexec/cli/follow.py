"""Prints a session's stream for a person at a terminal."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from algoexec.domain.calendar import IST

type Data = dict[str, Any]


async def follow(url: str, print_line: Callable[[str], None]) -> None:
    """Print every frame worth a line until the stream ends."""
    async with connect(f"{url}/ws/signals", compression=None, proxy=None) as socket:
        with suppress(ConnectionClosed):  # 1012: the service is stopping
            async for message in socket:
                for line in lines(json.loads(message)):
                    print_line(line)


def lines(frame: Data) -> Iterator[str]:
    """Yield what a frame says in words; most say nothing."""
    words: Final[dict[str, Callable[[Data], str]]] = {
        "session": _session,
        "signal": _signal,
        "rejection": _rejection,
        "pcr": _pcr,
        "order": _order,
        "trade": _trade,
        "alert": lambda data: f"ALERT      {data['message']}",
        "gap": lambda _: "GAP        frames were missed",
    }
    if (say := words.get(frame["type"])) is not None:
        yield f"{_clock(frame['at'])}  {say(frame['data'])}"


def _clock(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(IST).strftime("%H:%M:%S")


def _session(data: Data) -> str:
    rest = [data["reason"], data["halted"] and f"halted: {data['halted']}", f"feed {data['feed']}"]
    return f"SESSION    {data['status']}  " + "  ".join(part for part in rest if part)


def _signal(data: Data) -> str:
    return (
        f"SIGNAL     {data['side']:<8} {data['pattern']:<20} at {data['price']:.2f}"
        f"  stop {data['stop_loss']:.2f}  target {data['target']:.2f}{_cost(data)}"
    )


def _cost(data: Data) -> str:
    """What the option costs, and must gain to pay for itself; nothing where that is not known."""
    if data["premium"] is None:
        return ""
    return f"  premium {data['premium']:.2f} breaks even at {data['breakeven_points']:+.2f}"


def _rejection(data: Data) -> str:
    return f"rejected   {data['side']:<8} {data['pattern']:<20} {data['reason']}"


def _order(data: Data) -> str:
    if data["phase"] == "REFUSED":
        return f"no order   {data['reason']}: {data['message']}"
    if data["phase"] in ("AWAITING_APPROVAL", "APPROVED"):
        what = f"{data['side']} {data['quantity']} at {data['limit']:.2f}  risk {data['risk']:.2f}"
        if data["approved_by"] is None:
            return f"OFFER      {what}  until {_clock(data['expires_at'])}: POST /orders/{data['id']}/approve"
        return f"OFFER      {what}  approved by {data['approved_by']}"
    filled = f"  filled {data['filled']} at {data['average_price']:.2f}" if data["filled"] else ""
    return f"ORDER      {data['side']:<4} {data['quantity']} at {data['limit']:.2f}  {data['phase']}{filled}"


def _trade(data: Data) -> str:
    return (
        f"TRADE      {data['reason']:<16} {data['quantity']} from {data['entry_price']:.2f} to {data['exit_price']:.2f}"
        f"  net {data['net']:+.2f} after charges {data['charges']:.2f}"
    )


def _pcr(data: Data) -> str:
    pcr = "unknown" if data["pcr"] is None else f"{data['pcr']:.3f}"
    return f"PCR        {pcr}  over {data['strikes']} strikes"
