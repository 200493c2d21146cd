"""What runs beside trading and may be left out: Redis, messages to people, traces."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from algoexec.adapters.alerts.channels import Channel, Telegram, Webhook, http_client
from algoexec.adapters.alerts.hosts import AllowedHosts, HostNotAllowed
from algoexec.adapters.alerts.morning import Morning
from algoexec.adapters.alerts.notices import Kind
from algoexec.adapters.alerts.notifier import Choice, Notifier
from algoexec.adapters.alerts.service import ServiceWatch
from algoexec.adapters.redis.names import Names
from algoexec.api.bridge.line import Line
from algoexec.api.services import ApiOptions, Services
from algoexec.bootstrap.errors import CannotStart
from algoexec.engine.effects import Severity
from algoexec.ports.clock import WallClock
from algoexec.ports.venue import Venue
from algoexec.runtime.views import Dependency
from algoexec.settings import Settings
from algoexec.telemetry import logger

if TYPE_CHECKING:
    from algoexec.telemetry.traces import Traces

_LAST_WORDS_S: Final = 3.0

_log: Final = logger("service")


def tracing(settings: Settings, stack: AsyncExitStack, clock: WallClock) -> "Traces | None":
    """Return what makes traces of the order path; None where nobody wants them."""
    if settings.otlp_endpoint is None:
        return None
    try:
        from algoexec.telemetry.traces import Traces
    except ModuleNotFoundError as error:
        raise CannotStart("ALGOEXEC_OTLP_ENDPOINT needs the extra `otel`: pip install 'algoexec[otel]'") from error
    traces = Traces(settings.otlp_endpoint, version("algoexec"), clock)
    stack.callback(traces.close)
    return traces


async def writing(settings: Settings, stack: AsyncExitStack, clock: WallClock) -> Notifier | None:
    """Return what writes to people, until `stack` is left; None where nobody is to be written to."""
    http = await stack.enter_async_context(http_client())
    hosts = AllowedHosts(frozenset(settings.alert_hosts), loopback=settings.alert_loopback)
    channels: list[Channel] = []
    try:
        if settings.telegram_token is not None and settings.telegram_chat is not None:
            url, token, chat = settings.telegram_url, settings.telegram_token, settings.telegram_chat
            channels.append(Telegram(http, hosts, url=url, token=token, chat=chat))
        if settings.webhook_url is not None and settings.webhook_secret is not None:
            hook, secret = settings.webhook_url, settings.webhook_secret
            channels.append(Webhook(http, hosts, clock, url=hook, secret=secret))
    except HostNotAllowed as error:
        raise CannotStart(str(error)) from error
    if not channels:
        return None
    kinds = frozenset(Kind(name) for name in settings.alerts)
    notifier = Notifier(channels, clock, Choice(kinds=kinds, severity=Severity(settings.alert_severity)))
    await stack.enter_async_context(beside(notifier.run()))
    stack.push_async_callback(_last_words, notifier)
    return notifier


async def _last_words(notifier: Notifier) -> None:
    """Let what waits be sent, if it goes quickly: people should hear of what was done last."""
    try:
        async with asyncio.timeout(_LAST_WORDS_S):
            await notifier.settled()
    except TimeoutError:
        _log.warning("messages to people are left unsent")


async def call_people(stack: AsyncExitStack, services: Services, venue: Venue, notifier: Notifier) -> None:
    """Until `stack` is left, call for logins in the morning, and when what the service needs is gone."""

    def troubles() -> Mapping[str, str | None]:
        return {name: dependency.detail for name, dependency in services.dependencies().items()}

    await stack.enter_async_context(beside(Morning(services.stores, venue.clock, notifier.tell).run()))
    await stack.enter_async_context(beside(ServiceWatch(troubles, services.clock, notifier.tell).run()))


async def bridged(settings: Settings, stack: AsyncExitStack, services: Services, options: ApiOptions) -> Services:
    """Return the services with the bridge to Redis, which runs until `stack` is left; as they are without one."""
    if settings.redis_url is None:
        return services
    try:
        from algoexec.adapters.redis.bridge import RedisBridge
    except ModuleNotFoundError as error:
        raise CannotStart("ALGOEXEC_REDIS_URL needs the extra `redis`: pip install 'algoexec[redis]'") from error
    text = None if settings.redis_event_text is None else _imported(settings.redis_event_text)
    line = Line(services, options, allow_live=settings.redis_allow_live, text=text)
    url, names = settings.redis_url.get_secret_value(), Names(settings.redis_prefix)
    try:
        bridge = RedisBridge(url, names, answer=line.answer, events=line.events)
    except ValueError as error:
        raise CannotStart(f"ALGOEXEC_REDIS_URL: {error}") from error
    await stack.enter_async_context(beside(bridge.run()))
    return replace(services, redis=lambda: Dependency(detail=bridge.trouble))


def _imported(place: str) -> Any:
    """Return what `module:function` names."""
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise CannotStart(f"ALGOEXEC_REDIS_EVENT_TEXT: {place}: {error}") from error


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` while the context lasts."""
    task = asyncio.create_task(work)
    task.add_done_callback(_note_failure)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _note_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.critical("what runs beside trading has failed", exc_info=error)
