"""The line to a back end that speaks in messages: commands in, events out, both as text.

What carries the messages is not known here. A command that is delivered twice is acted on once:
its answer is remembered as that of an HTTP request with an Idempotency-Key is, and the session
that it begins has a name that follows from the command's.
"""

import asyncio
import hashlib
import hmac
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import orjson
import structlog

from algoexec.api.auth import Caller
from algoexec.api.bridge.commands import Command, Start, Stop, read_command, read_json
from algoexec.api.commanding import begin_session
from algoexec.api.dependencies import commanded
from algoexec.api.directory import CallersSessions
from algoexec.api.errors import ApiProblem, problem_of
from algoexec.api.schemas.sessions import SessionOut
from algoexec.api.services import ApiOptions, Services
from algoexec.domain.errors import DecodeError, DomainError, StoreError
from algoexec.engine.events import Mode
from algoexec.engine.signals import base36
from algoexec.ports.stores import Query, Scope, StoredAnswer
from algoexec.runtime.beginnings import ID_LENGTH
from algoexec.runtime.views import SessionView
from algoexec.runtime.watcher import Filter, WatchEnded
from algoexec.runtime.wire import unnumbered
from algoexec.telemetry import logger

_LIFETIME: Final = timedelta(hours=24)
"""For how long a command is known again."""
_LEASE: Final = timedelta(seconds=30)
"""Longer than a command takes: a second delivery waits so long for a process that died over the first."""
_LOOK_EVERY_S: Final = 0.5

type EventText = Callable[[Mapping[str, Any]], str | None]
"""Puts a frame into other words; None leaves it out."""

_log = logger("bridge")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What an answer repeats of its command."""

    command_id: str
    action: str | None
    user_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What came of a command: the session, or the problem."""

    session: Mapping[str, Any] | None = None
    problem: Mapping[str, Any] | None = None
    replayed: bool = False


class Line:
    """Commands in, events out, for everybody's sessions."""

    def __init__(
        self, services: Services, options: ApiOptions, *, allow_live: bool, text: EventText | None = None
    ) -> None:
        """Command the sessions of `services`; real money only if `allow_live`. `text` None: frames go as they are."""
        self._services, self._options, self._text = services, options, text
        self._caller: Final = Caller(id="redis", user_id=None, scope=Scope.LIVE if allow_live else Scope.TRADE)

    async def answer(self, text: bytes, delivery: str | None) -> str | None:
        """Act on a command, once, and return the frame that says what came of it; None if it is to be left out.

        `delivery` is the name of a delivery that is repeated until it is answered; None: it comes
        once, and a database that is down is an answer too.

        Raises:
            StoreUnavailable: the database is down; deliver the command again.
        """
        head = _Head(command_id=delivery or uuid.uuid4().hex, action=None, user_id=None)
        try:
            written = read_json(text)
            head = _head_of(written, otherwise=head.command_id)
            with structlog.contextvars.bound_contextvars(command_id=head.command_id):
                return self._told(head, await self._once(read_command(written), head.command_id, written))
        except Exception as error:  # whatever went wrong, who sent the command hears of it
            if isinstance(error, StoreError) and delivery is not None:
                raise
            return self._told(head, _Outcome(problem=_problem(error)))

    async def events(self, since: str | None) -> AsyncGenerator[Sequence[tuple[str | None, str | None]]]:
        """Yield what the stream carries, some frames at a time: each as text, and the cursor behind it.

        The text is None where the frame is left out, the cursor where it has none. `since` is such
        a cursor; None begins with a snapshot. Ends when it must be begun anew.
        """
        registry = self._services.registry
        try:
            async with registry.hub.watch(Filter(), CallersSessions(registry, None), since) as watcher:
                async for message in watcher.beginning():
                    yield [(self._in_their_words(message.text), message.cursor)]
                while True:
                    messages = await watcher.take()
                    yield [(self._in_their_words(message.text), message.cursor) for message in messages]
        except (WatchEnded, StoreError, DecodeError, DomainError) as ended:
            _log.warning("events are interrupted", reason=str(ended))

    async def _once(self, command: Command, command_id: str, written: Mapping[str, Any]) -> _Outcome:
        store, clock = self._services.stores.idempotency, self._services.clock
        scope = hashlib.sha256(f"redis:{command_id}".encode()).hexdigest()
        told = orjson.dumps(written, option=orjson.OPT_SORT_KEYS)
        mac = hmac.new(self._options.idempotency_secret, told, hashlib.sha256).hexdigest()
        while (earlier := await store.begin(scope, mac, clock.now(), clock.now() + _LEASE)) is not None:
            if not hmac.compare_digest(earlier.request_mac, mac):
                raise ApiProblem("idempotency-key-reused", f"The command_id {command_id} was of another command.")
            if earlier.status is not None:
                return _Outcome(**orjson.loads(earlier.body), replayed=True)
            await asyncio.sleep(_LOOK_EVERY_S)
        try:
            outcome = await self._act(command, scope)
        except BaseException:
            await store.forget(scope)
            raise
        body = orjson.dumps({"session": outcome.session, "problem": outcome.problem})
        status = 200 if outcome.problem is None else outcome.problem["status"]
        await store.finish(scope, StoredAnswer(request_mac=mac, status=status, body=body), clock.now() + _LIFETIME)
        return outcome

    async def _act(self, command: Command, scope: str) -> _Outcome:
        """Do what was commanded; a refusal is an outcome, a failure on our side is raised."""
        try:
            view = await (self._start(command, scope) if isinstance(command, Start) else self._stop(command))
        except Exception as error:
            problem = problem_of(error)
            if problem is None or problem.status >= 500:
                raise
            return _Outcome(problem=problem.body())
        return _Outcome(session=SessionOut.of(view).model_dump(mode="json"))

    async def _start(self, command: Start, scope: str) -> SessionView:
        session_id = _session_id(scope)
        if (begun := await self._services.registry.get(session_id, command.user_id)) is not None:
            return begun  # by an earlier delivery, whose process died before it could say so
        if command.data.mode is Mode.LIVE and not self._caller.scope.includes(Scope.LIVE):
            raise ApiProblem("forbidden", "Mode `live` over Redis needs ALGOEXEC_REDIS_ALLOW_LIVE=1.")
        wanted = command.data.wanted(command.user_id)
        return await begin_session(self._services.registry, self._options, self._caller, wanted, session_id=session_id)

    async def _stop(self, command: Stop) -> SessionView:
        registry, user = self._services.registry, command.user_id
        session_id = command.data.session_id
        if session_id is None:
            page = await registry.list(Query(user_id=user, limit=1), active=True)
            session_id = page.items[0].row.id if page.items else None
        if session_id is None or await registry.get(session_id, user) is None:
            raise ApiProblem("session-not-found", f"User {user} has no such session under way.")
        found = await commanded(registry, self._caller, session_id)
        return await registry.stop(found.row.id, flatten=command.data.flatten)

    def _in_their_words(self, frame: str) -> str | None:
        """Return a frame as the operator wants it told; as it is, if that fails."""
        if self._text is None:
            return frame
        try:
            return self._text(orjson.loads(frame))
        except Exception:  # noqa: BLE001 - code of somebody else: what it cannot put into words is not lost
            _log.exception("event not put into other words")
            return frame

    def _told(self, head: _Head, outcome: _Outcome) -> str | None:
        session_id = None if outcome.session is None else outcome.session["id"]
        data = {
            "command_id": head.command_id,
            "action": head.action,
            "user_id": head.user_id,
            "ok": outcome.problem is None,
            "replayed": outcome.replayed,
            "session": outcome.session,
            "problem": outcome.problem,
        }
        kind = "command" if outcome.problem is None else "error"
        return self._in_their_words(unnumbered(kind, session_id, self._services.clock.now(), data).text)


def _head_of(written: Mapping[str, Any], *, otherwise: str) -> _Head:
    """Return what can be said of a command, whatever else is wrong with it."""

    def text(name: str) -> str | None:
        value = written.get(name)
        return str(value)[:100] if isinstance(value, str | int) else None

    return _Head(command_id=text("command_id") or otherwise, action=text("action"), user_id=text("user_id"))


def _problem(error: Exception) -> dict[str, Any]:
    problem = problem_of(error)
    if problem is None:
        _log.error("command failed", exc_info=error)
        problem = ApiProblem("internal-error")
    return problem.body()


def _session_id(scope: str) -> str:
    """Return the name of the session that a command begins: a second delivery finds it by that."""
    return base36(int(scope, 16))[:ID_LENGTH]
