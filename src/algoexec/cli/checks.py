"""What `algoexec doctor` looks at, one small check for each thing that the service needs.

A check says what it found and, where something is wrong, what to do about it. It never raises:
what cannot be asked is a finding too.
"""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

import httpx
from pydantic import SecretStr

from algoexec.adapters.ntp import NoTime, clock_offset
from algoexec.adapters.system_clock import SystemClock
from algoexec.adapters.upstox.hosts import LIVE
from algoexec.bootstrap import open_stores, open_venue
from algoexec.domain.calendar import IST, Calendar
from algoexec.domain.errors import BrokerError, DecodeError, StoreError, StoreUnavailable, TokenRefused
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT
from algoexec.ports.stores import Query
from algoexec.runtime.preflight import LARGEST_OFFSET
from algoexec.runtime.tokens import expiry_of
from algoexec.settings import Broker, Settings
from algoexec.storage.migrate import inspect
from algoexec.storage.mongod_binary import find_mongod

LEAST_DISK: Final = 2 * 1024**3
"""Bytes: a day of fifty sessions is far less, a full disk is the end of a journal."""
WITHIN_S: Final = 15.0
_BUILT_IN_CALENDAR: Final = 2026


class Found(NamedTuple):
    """What a check found. `ok` None: it is not known, or does not matter here. `advice` is what to do about it."""

    ok: bool | None
    detail: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is examined.

    `token` is an access token to try, None: none is at hand. `ntp` and `egress` are whom to ask for
    the time and for the address that others see; None: nobody.
    """

    settings: Settings
    token: AccessToken | None
    ntp: str | None
    egress: str | None


async def examine(patient: Patient) -> dict[str, Found]:
    """Return what each check found, in the order in which they are told."""
    found = await asyncio.gather(*(_look(check, patient) for check in CHECKS.values()))
    return dict(zip(CHECKS, found, strict=True))


async def _look(check: Callable[[Patient], Awaitable[Found]], patient: Patient) -> Found:
    try:
        return await asyncio.wait_for(_twice(check, patient), WITHIN_S)
    except TimeoutError:
        return Found(ok=False, detail=f"no answer within {WITHIN_S:g} s", advice="look at the network in between")
    except (BrokerError, DecodeError, StoreError, NoTime, OSError, httpx.HTTPError) as error:
        return Found(ok=False, detail=str(error) or type(error).__name__, advice=_ADVICE.get(check, ""))


async def _twice(check: Callable[[Patient], Awaitable[Found]], patient: Patient) -> Found:
    """Ask a database that did not answer once more: the first answer may be slow where others are busy."""
    try:
        return await check(patient)
    except StoreUnavailable:
        return await check(patient)


async def _settings(patient: Patient) -> Found:
    settings = patient.settings
    if settings.is_loopback:
        return Found(ok=True, detail=f"listens on {settings.host}:{settings.port}, for this machine alone")
    if settings.secret_key is None:
        return Found(
            ok=None,
            detail="tokens are encrypted with a key file in the data folder",
            advice="set ALGOEXEC_SECRET_KEY, or keep the data folder: without its key file tokens cannot be read",
        )
    return Found(ok=True, detail=f"listens on {settings.host}:{settings.port}; needs a key or a JWT of everybody")


async def _disk(patient: Patient) -> Found:
    folder = patient.settings.data_dir.absolute()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if not existing.is_dir():
        return Found(ok=False, detail=f"{existing} is no folder", advice="see ALGOEXEC_DATA_DIR")
    if not os.access(existing, os.W_OK | os.X_OK):
        return Found(ok=False, detail=f"{existing} cannot be written", advice="give it to the service's user")
    free = shutil.disk_usage(existing).free
    told = f"{free / 1024**3:.1f} GiB free at {folder}"
    return Found(ok=free >= LEAST_DISK, detail=told, advice="" if free >= LEAST_DISK else "make room: 2 GiB or more")


async def _database(patient: Patient) -> Found:
    settings = patient.settings
    if settings.mongodb_uri is None:
        return Found(ok=True, detail=f"a private mongod is started from {find_mongod()}")
    is_replicated, pending = await inspect(settings.mongodb_uri.get_secret_value(), settings.mongodb_database)
    if not is_replicated:
        advice = "start it as a replica set (mongod --replSet rs0, rs.initiate()): one member is enough"
        return Found(ok=False, detail="it answers and is no replica set", advice=advice)
    if pending:
        return Found(ok=False, detail=f"not migrated yet: {', '.join(pending)}", advice="algoexec migrate")
    return Found(ok=True, detail="it answers, is a replica set and is migrated")


async def _sessions(patient: Patient) -> Found:
    """Whether the tokens of active sessions live."""
    if patient.settings.mongodb_uri is None:
        return Found(ok=None, detail="not asked: the private database belongs to the service that runs")
    async with open_stores(patient.settings) as stores:
        now = SystemClock().now()
        active = (await stores.sessions.list(Query(limit=1000), active=True)).items
        dead = [row.user_id for row in active if await stores.tokens.get(row.id, now) is None]
    if dead:
        told = f"{len(dead)} of {len(active)} active sessions have no living token: {', '.join(sorted(set(dead))[:10])}"
        return Found(ok=False, detail=told, advice="log in at the broker, then POST /sessions/{id}/token")
    return Found(ok=True, detail=f"{len(active)} active, each with a living token")


async def _redis(patient: Patient) -> Found:
    url: SecretStr | None = patient.settings.redis_url
    if url is None:
        return Found(ok=None, detail="not used")
    try:
        from redis.asyncio import Redis
        from redis.exceptions import RedisError
    except ModuleNotFoundError:
        return Found(ok=False, detail="redis-py is not installed", advice="pip install 'algoexec[redis]'")
    try:
        async with Redis.from_url(url.get_secret_value(), socket_connect_timeout=3, socket_timeout=3) as redis:
            await redis.ping()
    except (RedisError, ValueError) as error:
        return Found(ok=False, detail=f"{type(error).__name__}: {error}", advice="start it, or see ALGOEXEC_REDIS_URL")
    return Found(ok=True, detail="it answers")


async def _clock(patient: Patient) -> Found:
    """How far this machine's clock is off: by a time server, else by the broker's `Date`."""
    if patient.settings.broker is Broker.SIMULATOR:
        return Found(ok=True, detail="market time is the simulator's own")
    try:
        if patient.ntp is None:
            raise NoTime("no time server was asked")
        offset, by = await clock_offset(patient.ntp, SystemClock()), patient.ntp
    except NoTime as reason:
        stamped = await _broker_date()
        if stamped is None:
            return Found(ok=None, detail=f"not known: {reason}", advice="let UDP port 123 out, or give --ntp another")
        offset, by = stamped, "the broker's Date header, which has whole seconds"
    told = f"{offset.total_seconds():+.3f} s by {by}"
    is_right = abs(offset) <= LARGEST_OFFSET
    return Found(ok=is_right, detail=told, advice="" if is_right else "set the clock: chronyc makestep")


async def _broker_date() -> timedelta | None:
    clock = SystemClock()
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            answer = await client.head(LIVE.api)
        return parsedate_to_datetime(answer.headers["date"]) + timedelta(seconds=0.5) - clock.now()
    except (httpx.HTTPError, KeyError, ValueError, TypeError):
        return None


async def _broker(patient: Patient) -> Found:
    if patient.settings.broker is Broker.SIMULATOR:
        async with open_venue(patient.settings) as venue:
            return Found(ok=True, detail=f"the simulator answers: {await venue.name()}")
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        answer = await client.head(LIVE.api)
    return Found(ok=True, detail=f"{LIVE.api} answers ({answer.status_code})")


async def _token(patient: Patient) -> Found:
    if patient.token is None:
        return Found(ok=None, detail="none was given", advice="--token-file FILE tries one; - is standard input")
    now = SystemClock().now()
    dies = expiry_of(patient.token, now)
    if dies <= now:
        told = f"it died at {dies.astimezone(IST):%Y-%m-%d %H:%M} IST"
        return Found(ok=False, detail=told, advice="log in at the broker: tokens die each night at 03:30 IST")
    async with open_venue(patient.settings) as venue:
        await venue.name()
        try:
            profile = await venue.market_data(patient.token).profile()
        except TokenRefused as refused:
            return Found(ok=False, detail=str(refused), advice="log in at the broker and use the new one")
    return Found(ok=True, detail=f"of account {profile.account}, lives until {dies.astimezone(IST):%H:%M} IST")


async def _calendar(patient: Patient) -> Found:
    async with open_venue(patient.settings) as venue:
        await venue.name()
        now = venue.clock.now()
        if patient.token is None:
            calendar, source = Calendar(), "the built-in calendar, for want of a token"
        else:
            calendar, source = await venue.market_data(patient.token).calendar(now.year), "the broker's"
    try:
        day = calendar.next_day(now)
    except ValueError as error:
        return Found(ok=False, detail=str(error), advice="the calendar is wrong: tell the broker, or us")
    hours = f"{day.opens_at.astimezone(IST):%H:%M} to {day.closes_at.astimezone(IST):%H:%M} IST"
    told = f"{'open' if day.opens_at <= now else 'next day'}: {day.date.isoformat()}, {hours} ({source})"
    if patient.token is None and now.year != _BUILT_IN_CALENDAR:
        return Found(ok=None, detail=told, advice=f"it knows holidays of {_BUILT_IN_CALENDAR} only")
    return Found(ok=True, detail=told)


async def _address(patient: Patient) -> Found:
    """By which address the broker sees us: since April 2026 orders must come from a registered one."""
    if patient.egress is None:
        return Found(ok=None, detail="not asked")
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            seen = (await client.get(patient.egress)).raise_for_status().text.strip()[:45]
    except httpx.HTTPError as error:
        return Found(ok=None, detail=f"{patient.egress}: {type(error).__name__}", advice="--egress asks another")
    told = f"orders leave from {seen}"
    if patient.token is None:
        return Found(ok=None, detail=told, advice="with --token-file it is compared with those that are registered")
    async with open_venue(patient.settings) as venue:
        known = (await venue.addresses(patient.token, DIRECT)).registered
    if seen in known:
        return Found(ok=True, detail=f"{told}, which is registered")
    advice = "register it with the broker as your static IP, or orders are refused"
    return Found(ok=False, detail=f"{told}; registered: {', '.join(known) or 'none'}", advice=advice)


_ADVICE: Final[Mapping[Callable[[Patient], Awaitable[Found]], str]] = {
    _database: "start MongoDB, see ALGOEXEC_MONGODB_URI, or unset it for a private one",
    _sessions: "start MongoDB first",
    _broker: "look at the way out of this network, and for the simulator at ALGOEXEC_SIMULATOR_URL",
    _token: "look at the broker first",
    _calendar: "look at the broker first",
    _address: "see at the broker which static IP is registered",
}
"""What to do when a check could not ask."""

CHECKS: Final[Mapping[str, Callable[[Patient], Awaitable[Found]]]] = {
    "settings": _settings,
    "disk": _disk,
    "database": _database,
    "sessions": _sessions,
    "redis": _redis,
    "broker": _broker,
    "clock": _clock,
    "calendar": _calendar,
    "token": _token,
    "address": _address,
}
