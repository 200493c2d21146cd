"""Feed frames made with the SDK's own messages: what the broker would send."""

from typing import Any

from upstox_client.feeder.proto import MarketDataFeedV3_pb2

AT = 1_766_733_809_445
"""Stamp of a recorded frame: 2025-12-26 12:53:29.445 IST."""


def message(at: int = AT, kind: int = 1) -> Any:
    """Return an empty live frame to be filled."""
    return MarketDataFeedV3_pb2.FeedResponse(type=kind, currentTs=at)


def market(frame: Any, key: str) -> Any:
    """Return the part of a contract in mode full."""
    part = frame.feeds[key].fullFeed.marketFF
    part.SetInParent()
    return part


def index(frame: Any, key: str = "NSE_INDEX|Nifty Bank") -> Any:
    """Return the part of an index in mode full."""
    return frame.feeds[key].fullFeed.indexFF


def data(frame: Any) -> bytes:
    """Return the frame as sent."""
    return bytes(frame.SerializeToString())
