"""Messages to people, at real HTTP servers: what is said, to whom, how often, and that nothing waits for it."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest
import pytest_asyncio
from pydantic import SecretStr

from algoexec.adapters.alerts.channels import Channel, Telegram, Webhook, http_client
from algoexec.adapters.alerts.hosts import AllowedHosts, HostNotAllowed
from algoexec.adapters.alerts.morning import Morning, next_call
from algoexec.adapters.alerts.notices import Kind, Notice, Standing, notices_of
from algoexec.adapters.alerts.notifier import Choice, Notifier
from algoexec.adapters.alerts.service import ServiceWatch
from algoexec.adapters.memory.stores import MemoryStores
from algoexec.adapters.system_clock import SystemClock
from algoexec.domain.calendar import Calendar, ist, regular_session
from algoexec.engine.effects import Frame, Severity, Status
from algoexec.engine.events import Mode
from algoexec.ports.credentials import AccessToken
from algoexec.ports.stores import SessionRow
from tests.api.support import ManualClock, StillClock
from tests.api.trading import eventually, held, trading_service
from tests.contract.given import state
from tests.contract.given_trading import offer

SECRET: Final = SecretStr("webhook-s3cret-of-32-characters!")
TOKEN: Final = SecretStr("12345:telegram-s3cret")
LOOPBACK: Final = AllowedHosts(frozenset(), loopback=True)
AT: Final = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
QUICK: Final = Choice(pause=0.01)


class Receiver:
    """An HTTP server that keeps what it is sent; `answers` are given in turn, the last one for ever."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[str] = ["200 OK\r\n"]
        self.hangs = False
        self.url = ""

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.seen.append((request.split(" ")[1], headers, body))
        if self.hangs:
            await reader.read()  # until the other side gives up
        else:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            writer.write(f"HTTP/1.1 {answer}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()

    def texts(self) -> list[str]:
        return [json.loads(body)["text"] for _, _, body in self.seen]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with await asyncio.start_server(receiver.take, "127.0.0.1", 0) as server:
        receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield receiver


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@asynccontextmanager
async def telling(
    *make: Callable[[Any], Channel], choice: Choice = QUICK, clock: Any = None
) -> AsyncIterator[Notifier]:
    async with http_client() as http:
        notifier = Notifier([one(http) for one in make], clock or SystemClock(), choice)
        task = asyncio.create_task(notifier.run())
        try:
            yield notifier
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def webhook(receiver: Receiver) -> Callable[[Any], Channel]:
    url = SecretStr(f"{receiver.url}/hook/path-s3cret")
    return lambda http: Webhook(http, LOOPBACK, SystemClock(), url=url, secret=SECRET)


def telegram(receiver: Receiver) -> Callable[[Any], Channel]:
    return lambda http: Telegram(http, LOOPBACK, url=receiver.url, token=TOKEN, chat="-100")


def notice(n: int = 1, severity: Severity = Severity.WARNING, kind: Kind = Kind.ALERT, **fields: Any) -> Notice:
    given = {"code": f"CODE_{n}", "text": f"text {n}", "session_id": "s", "user_id": "asha", **fields}
    return Notice(id=f"id-{n}", kind=kind, severity=severity, at=AT, **given)


async def settled(notifier: Notifier) -> None:
    async with asyncio.timeout(60):
        await notifier.settled()


# --- channels ---------------------------------------------------------------------------------------------------------


async def test_a_webhook_is_signed_and_dated(receiver: Receiver) -> None:
    async with telling(webhook(receiver)) as notifier:
        notifier.tell(notice())
        await settled(notifier)

    ((path, headers, body),) = receiver.seen
    assert path == "/hook/path-s3cret"
    stamp = headers["x-algoexec-timestamp"]
    expected = hmac.new(SECRET.get_secret_value().encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["x-algoexec-signature"] == f"v1={expected}"
    assert abs(datetime.fromtimestamp(int(stamp), UTC) - SystemClock().now()) < timedelta(minutes=5)
    assert json.loads(body) == {
        "id": "id-1", "kind": "alert", "severity": "warning", "code": "CODE_1", "text": "text 1",
        "at": "2026-11-23T04:00:00Z", "user_id": "asha", "session_id": "s",
    }  # fmt: skip


async def test_telegram_gets_a_text_for_its_chat(receiver: Receiver) -> None:
    async with telling(telegram(receiver)) as notifier:
        notifier.tell(notice(severity=Severity.CRITICAL))
        await settled(notifier)

    ((path, _, body),) = receiver.seen
    assert path == f"/bot{TOKEN.get_secret_value()}/sendMessage"
    told = json.loads(body)
    assert told["chat_id"] == "-100"
    assert told["text"] == "‼ text 1\nCODE_1, 09:30 IST"
    assert told["disable_notification"] is False


async def test_what_was_not_taken_is_sent_again_under_the_same_id(receiver: Receiver) -> None:
    receiver.answers = ["503 No\r\n", "429 Wait\r\nRetry-After: 0\r\n", "200 OK\r\n"]
    async with telling(webhook(receiver)) as notifier:
        notifier.tell(notice(1))
        notifier.tell(notice(2))
        await settled(notifier)
    assert [headers["x-algoexec-id"] for _, headers, _ in receiver.seen] == ["id-1", "id-1", "id-1", "id-2"]


@pytest.mark.parametrize("answer", ["400 Bad\r\n", "404 Gone\r\n", "401 No\r\n"])
async def test_what_is_refused_is_not_sent_again(receiver: Receiver, answer: str) -> None:
    receiver.answers = [answer]
    async with telling(webhook(receiver)) as notifier:
        notifier.tell(notice(1))
        await settled(notifier)
    assert len(receiver.seen) == 1


async def test_nobody_is_followed_elsewhere(receiver: Receiver) -> None:
    async with receiving() as elsewhere:
        receiver.answers = [f"{code} Moved\r\nLocation: {elsewhere.url}/\r\n" for code in (301, 302, 307, 308)]
        async with telling(webhook(receiver)) as notifier:
            for n in range(4):
                notifier.tell(notice(n))
            await settled(notifier)
        assert len(receiver.seen) == 4
        assert elsewhere.seen == []


async def test_an_end_to_trying(receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    receiver.answers = ["500 No\r\n"]
    async with telling(webhook(receiver), telegram(receiver), choice=replace(QUICK, attempts=3)) as notifier:
        notifier.tell(notice(1))
        await settled(notifier)
    assert len(receiver.seen) == 6
    said = capsys.readouterr()
    assert "message not sent" in said.out + said.err
    assert "s3cret" not in said.out + said.err


# --- where they may go --------------------------------------------------------------------------------------------

LISTED: Final = AllowedHosts(frozenset({"hooks.example.com", "api.telegram.org", "other.example.com:8443"}))


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/x", "https://hooks.example.com:443/x", "https://HOOKS.example.com/x",
            "https://hooks.example.com./x", "https://other.example.com:8443/y"],
)  # fmt: skip
def test_listed_hosts_are_allowed(url: str) -> None:
    assert LISTED.require(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/x",
        "https://hooks.example.com:8443/x",
        "https://other.example.com/y",
        "https://hooks.example.com.evil.example/x",
        "https://evil.example/hooks.example.com",
        "https://hooks.example.com@evil.example/x",
        "https://user:pass@hooks.example.com/x",
        "https://sub.hooks.example.com/x",
        "https://127.0.0.1/x",
        "http://127.0.0.1/x",
        "http://localhost/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest",
        "https:///x",
        "https://[::",
        "https://hooks.example.com:port/x",
        "ftp://hooks.example.com/x",
        "//hooks.example.com/x",
        "",
    ],
)
def test_others_are_not(url: str) -> None:
    with pytest.raises(HostNotAllowed) as refused:
        LISTED.require(url)
    assert "pass" not in str(refused.value)


def test_a_channel_cannot_be_made_to_go_elsewhere() -> None:
    for make in (
        lambda: Webhook(http_client(), LISTED, SystemClock(), url=SecretStr("https://evil.example/x"), secret=SECRET),
        lambda: Telegram(http_client(), LISTED, url="https://evil.example", token=TOKEN, chat="1"),
    ):
        with pytest.raises(HostNotAllowed, match=r"evil\.example"):
            make()


# --- how many -------------------------------------------------------------------------------------------------------


async def test_kinds_and_severities_are_chosen(receiver: Receiver) -> None:
    choice = replace(QUICK, kinds=frozenset({Kind.ALERT, Kind.TRADE}), severity=Severity.WARNING)
    async with telling(webhook(receiver), choice=choice) as notifier:
        notifier.tell(notice(1, Severity.INFO, Kind.TRADE))
        notifier.tell(notice(2, Severity.CRITICAL, Kind.SESSION))
        notifier.tell(notice(3, Severity.WARNING, Kind.ALERT))
        await settled(notifier)
    assert receiver.texts() == ["text 3"]


async def test_what_flaps_is_told_once_in_a_while_and_what_is_critical_each_time(receiver: Receiver) -> None:
    clock = ManualClock()
    async with telling(webhook(receiver), clock=clock) as notifier:
        for _ in range(3):
            notifier.tell(notice(1))
            notifier.tell(notice(2, Severity.CRITICAL))
        clock.advance(61)
        notifier.tell(notice(1))
        await settled(notifier)
    assert sorted(receiver.texts()) == ["text 1"] * 2 + ["text 2"] * 3


async def test_so_many_in_a_minute_and_no_more(receiver: Receiver) -> None:
    choice = replace(QUICK, most=3, window=0.5)
    clock = SystemClock()
    begun = clock.monotonic()
    async with telling(webhook(receiver), choice=choice) as notifier:
        for n in range(7):
            notifier.tell(notice(n))
        await settled(notifier)
    assert len(receiver.seen) == 7
    assert clock.monotonic() - begun >= 1.0


async def test_what_does_not_fit_is_dropped_the_quietest_first_and_said(receiver: Receiver) -> None:
    receiver.hangs = True
    async with telling(webhook(receiver), choice=replace(QUICK, depth=3)) as notifier:
        notifier.tell(notice(0))
        await eventually(lambda: bool(receiver.seen))
        notifier.tell(notice(1, Severity.CRITICAL))
        for n in range(2, 1000):
            notifier.tell(notice(n, Severity.INFO, Kind.TRADE))
        waiting = [one.id for one in notifier._lanes[0]._waiting]
    assert waiting == ["id-1", "id-998", "id-999"]


async def test_one_that_hangs_holds_up_no_other(receiver: Receiver) -> None:
    async with receiving() as hanging:
        hanging.hangs = True
        async with telling(webhook(hanging), telegram(receiver)) as notifier:
            for n in range(3):
                notifier.tell(notice(n))
            await eventually(lambda: len(receiver.seen) == 3)
        assert len(hanging.seen) == 1


# --- what a session has to say ------------------------------------------------------------------------------------


async def test_people_hear_of_a_halt_a_trade_and_the_days_result(receiver: Receiver) -> None:
    async with (
        telling(webhook(receiver)) as notifier,
        held(observers=(notifier,)) as trading,
        trading.service.client() as client,
    ):
        await client.post(f"{trading.path}/halt", json={"reason": "RBI policy"})
        await client.delete(f"{trading.path}?flatten=true")
        await eventually(lambda: any("Rs" in text and "trades" in text for text in receiver.texts()))
        await settled(notifier)
    told = [json.loads(body) for _, _, body in receiver.seen]
    by_code = {one["code"]: one for one in told}
    assert by_code["HALTED"]["text"] == "asha (paper): entries are forbidden: RBI policy (by local)"
    assert "net Rs" in by_code["CLOSED"]["text"]
    assert by_code["STOPPED"]["kind"] == "session"
    assert by_code["RESULT"]["kind"] == "day"
    assert "1 trades, net Rs" in by_code["RESULT"]["text"]
    assert "good-token" not in str(receiver.seen)


def test_who_shall_approve_is_called() -> None:
    [called] = notices_of(state(), Frame(number=7, at=AT, body=offer("s1-1-0")), Standing())
    assert (called.kind, called.severity, called.code) == (Kind.ALERT, Severity.WARNING, "APPROVAL_WANTED")
    assert "approve or reject s1-1-0 until 09:39:00 IST: BUY 70 " in called.text
    assert "at 212.35, risk Rs 2,972.90" in called.text
    approved = Frame(number=8, at=AT, body=offer("s1-1-0", "asha"))
    assert list(notices_of(state(), approved, Standing())) == []


async def test_a_dead_token_is_told_once(receiver: Receiver) -> None:
    async with (
        telling(webhook(receiver)) as notifier,
        trading_service(observers=(notifier,)) as service,
        service.client() as client,
    ):
        await client.post("/sessions", json={"user_id": "asha"})
        await eventually(lambda: bool(receiver.seen))
        await settled(notifier)
    assert [json.loads(body)["code"] for _, _, body in receiver.seen] == ["NEEDS_TOKEN"]


# --- in the morning ---------------------------------------------------------------------------------------------------

FRIDAY, MONDAY = regular_session(date(2026, 11, 20)), regular_session(date(2026, 11, 23))


def row(user: str, day: date, *, active: bool, session_id: str) -> SessionRow:
    status = Status.NEEDS_TOKEN if active else Status.STOPPED
    return SessionRow(
        id=session_id, user_id=user, venue="upstox", mode=Mode.SIGNALS, status=status, is_active=active,
        created_at=ist(day, datetime.min.time().replace(hour=9)), day=day.isoformat(),
    )  # fmt: skip


async def test_whoever_has_no_living_token_is_called_before_nine() -> None:
    stores, told, market = MemoryStores(), list[Notice](), _Waking(ist(MONDAY.date, datetime.min.time()))
    for user, day, active in [
        ("traded-friday", FRIDAY.date, False),
        ("traded-last-week", date(2026, 11, 12), False),
        ("token-is-dead", FRIDAY.date, True),
        ("token-lives", FRIDAY.date, True),
    ]:
        await stores.sessions.create(row(user, day, active=active, session_id=f"s{user}".replace("-", "")[:16]))
    alive = "stokenlives"
    await stores.tokens.put(alive, AccessToken("x"), MONDAY.closes_at)
    await stores.tokens.put("stokenisdead", AccessToken("x"), ist(MONDAY.date, datetime.min.time().replace(hour=3)))

    task = asyncio.create_task(Morning(stores, market, told.append).run())
    await market.asked.wait()
    assert told == []
    assert market.due == ist(MONDAY.date, datetime.min.time().replace(hour=8, minute=30))
    market.wake()
    await eventually(lambda: bool(told))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert {one.user_id for one in told} == {"traded-friday", "token-is-dead"}
    assert {one.code for one in told} == {"LOG_IN_AGAIN"}
    assert all("before 09:15 IST" in one.text for one in told)


class _Waking(StillClock):
    """Market time that jumps to what is waited for, once."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.asked, self.due, self._go = asyncio.Event(), at, asyncio.Event()

    async def wait_until(self, at: datetime) -> None:
        if self._go.is_set():
            await asyncio.Event().wait()
        self.due = at
        self.asked.set()
        await self._go.wait()
        self.at = at

    def wake(self) -> None:
        self._go.set()


@pytest.mark.parametrize(
    ("now", "called", "due"),
    [
        ("2026-11-23T08:00+05:30", None, date(2026, 11, 23)),
        ("2026-11-23T08:59+05:30", None, date(2026, 11, 23)),
        ("2026-11-23T08:45+05:30", date(2026, 11, 23), date(2026, 11, 24)),
        ("2026-11-20T09:00+05:30", None, date(2026, 11, 23)),
        ("2026-11-21T08:00+05:30", None, date(2026, 11, 23)),
    ],
)
def test_each_trading_day_has_one_call(now: str, called: date | None, due: date) -> None:
    calendar = Calendar(holidays=frozenset())
    assert next_call(calendar, datetime.fromisoformat(now), called).date == due


# --- the service itself -----------------------------------------------------------------------------------------------


def test_what_is_gone_for_a_while_is_told_and_that_it_is_back() -> None:
    troubles: dict[str, str | None] = {"store": None, "redis": None}
    clock, told = ManualClock(), list[Notice]()
    watch = ServiceWatch(lambda: troubles, clock, told.append)
    watch.look()
    troubles["store"] = "MongoDB: connection refused"
    watch.look()
    clock.advance(9)
    watch.look()
    assert told == []
    clock.advance(1)
    watch.look()
    watch.look()
    troubles["store"] = None
    watch.look()
    watch.look()
    assert [(one.code, one.severity) for one in told] == [
        ("STORE_GONE", Severity.CRITICAL),
        ("STORE_BACK", Severity.INFO),
    ]
