"""What the market says: put-call ratios, the option chain, candles with indicators."""

import asyncio
from bisect import bisect_left
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from algoexec.api.dependencies import SESSION_ID, Given, OwnSession, Reader, Sessions, Store, readable, session_of
from algoexec.api.errors import ApiProblem, problems
from algoexec.api.indicators import EXAMPLE, computed, parse
from algoexec.api.schemas.lists import Asked, PageOf, SessionFilter
from algoexec.api.schemas.market import (
    CandlesOut,
    OptionChainOut,
    OptionsOut,
    PcrOut,
    QuoteOut,
    QuotesOut,
    candle_out,
    pcr_out,
)
from algoexec.domain.instruments import BANK_NIFTY

router = APIRouter(tags=["market"])

_READ: Final = ("unauthenticated", "forbidden", "database-unavailable")


@router.get(
    "/pcr",
    operation_id="listPcr",
    summary="List put-call ratios",
    responses=problems(
        *_READ, "session-not-found", "session-unreadable", "invalid-request", "invalid-cursor", "broker-unavailable"
    ),
)
async def list_pcr(
    caller: Reader,
    registry: Sessions,
    stores: Store,
    given: Given,
    asked: Asked,
    session_id: SessionFilter = None,
) -> PageOf[PcrOut]:
    """Return the put-call ratio of each poll, newest first; with `session_id` those of its venue."""
    if session_id is None:
        venue, underlying = await given.venue_name(), BANK_NIFTY
    else:
        session = await session_of(registry, caller, session_id)
        venue, underlying = session.row.venue, session.state.underlying if session.state else BANK_NIFTY
    with readable("put-call ratios"):
        page = await stores.projections.pcr(venue, underlying, asked)
    return PageOf(items=[pcr_out(one) for one in page.items], cursor=page.cursor)


@router.get(
    "/option-chain",
    operation_id="getOptionChain",
    summary="Look at the option chain",
    responses=problems(*_READ, "session-not-found", "session-unreadable", "chain-not-polled", "invalid-request"),
)
async def get_option_chain(
    caller: Reader,
    registry: Sessions,
    session_id: Annotated[str, Query(description="The session whose credential polls it.", pattern=SESSION_ID)],
) -> OptionChainOut:
    """Return the whole chain of the nearest expiry as the session last polled it."""
    session = await session_of(registry, caller, session_id)
    chain = registry.option_chain(session.row.id)
    if chain is None:
        raise ApiProblem("chain-not-polled")
    return OptionChainOut.of(chain)


@router.get(
    "/sessions/{session_id}/candles",
    operation_id="getCandles",
    summary="Look at today's candles",
    responses=problems(*_READ, "session-not-found", "session-unreadable", "invalid-request"),
)
async def get_candles(
    session: OwnSession,
    registry: Sessions,
    ta: Annotated[
        str | None,
        Query(
            max_length=400,
            description="Indicators, comma-separated, each a name and its numbers: `ema:9,vwap,rsi:14`. "
            "`GET /config/schema` lists them.",
            examples=[EXAMPLE],
        ),
    ] = None,
    since: Annotated[
        AwareDatetime | None,
        Query(
            description="Only candles that start at or after this time (ISO 8601 with an offset); indicators are of "
            "the whole day all the same.",
            examples=[None],
        ),
    ] = None,
) -> CandlesOut:
    """Return the candles that the session has decided or warmed with today, and indicators beside them."""
    asked = parse(ta or "")
    with readable(f"session {session.row.id}"):
        candles = await registry.candles(session.row.id)
    lines = await asyncio.to_thread(computed, asked, candles) if asked else {}
    first = 0 if since is None else bisect_left(candles, since, key=lambda candle: candle.start)
    return CandlesOut(
        session_id=session.row.id,
        candles=[candle_out(candle) for candle in candles[first:]],
        ta={name: {line: values[first:] for line, values in found.items()} for name, found in lines.items()},
    )


@router.get(
    "/sessions/{session_id}/quotes",
    operation_id="getQuotes",
    summary="Look at the newest quotes",
    responses=problems(*_READ, "session-not-found", "session-unreadable"),
)
async def get_quotes(session: OwnSession, registry: Sessions) -> QuotesOut:
    """Return the newest bid, ask, open interest and greeks of what the session follows tick by tick.

    That is the index, the nearest future, and the options at the money and one strike around it.
    Nothing is asked of the broker: ask as often as once a second.
    """
    quotes = sorted(registry.quotes(session.row.id), key=lambda quote: quote.instrument)
    return QuotesOut(session_id=session.row.id, quotes=[QuoteOut.of(quote) for quote in quotes])


@router.get(
    "/sessions/{session_id}/options",
    operation_id="listOptions",
    summary="Name the day's options",
    responses=problems(*_READ, "session-not-found", "session-unreadable"),
)
async def list_options(session: OwnSession) -> OptionsOut:
    """Return the options that the session may trade: what the instrument keys of its signals and orders stand for.

    Empty until the session has reached the broker.
    """
    contracts = session.state.contracts if session.state else None
    return OptionsOut.of(session.row.id, contracts.options if contracts else ())
