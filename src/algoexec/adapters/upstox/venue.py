"""Upstox as a place, and the simulator as another."""

import httpx
from pydantic import TypeAdapter, ValidationError

from algoexec.adapters.system_clock import SystemMarketClock
from algoexec.adapters.upstox.broker import UpstoxBroker
from algoexec.adapters.upstox.feed import FeedTiming, UpstoxFeed
from algoexec.adapters.upstox.hosts import LIVE, Hosts
from algoexec.adapters.upstox.limits import LIMITS, ORDER_PATIENCE, PATIENCE, RateGovernor, RateGroup
from algoexec.adapters.upstox.market_clock import SILENCE, ClockReading, ObservedClock, SimulatedMarketClock
from algoexec.adapters.upstox.market_data import UpstoxMarketData
from algoexec.adapters.upstox.order_requests import OrderRequests
from algoexec.adapters.upstox.payloads import ADDRESSES, Payload
from algoexec.adapters.upstox.portfolio_feed import ORDERS_ONLY, PortfolioFeed
from algoexec.adapters.upstox.rest import UpstoxRest, http_client
from algoexec.adapters.upstox.stream import Stream
from algoexec.domain.errors import BrokerUnavailable
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress, ProxyAddress
from algoexec.ports.venue import Addresses, Venue


class _AuthorizedFeedPayload(Payload):
    authorized_redirect_uri: str


class _ClockPayload(Payload):
    now_ms: int
    speed: float | None
    instance: str


_AUTHORIZED_FEED = TypeAdapter(_AuthorizedFeedPayload)


class _Access:
    """What all credentials of a venue share: HTTP connections, rate governors, the clock.

    Only orders, and the question from where they must come, go through an egress proxy: the
    broker asks no address of a read, and what became of an order can then be looked up while
    its proxy is down. Each proxy has connections of its own; there are as many as users.
    """

    def __init__(self, hosts: Hosts, clock: ObservedClock, *, timing: FeedTiming | None, algo: str | None) -> None:
        self.clock = clock
        self._hosts = hosts
        self._clients: dict[tuple[str, ProxyAddress | None], httpx.AsyncClient] = {}
        self._timing = timing
        self._algo = algo
        self._governors: dict[tuple[str, RateGroup], RateGovernor] = {}

    @property
    def http(self) -> httpx.AsyncClient:
        return self._client(self._hosts.api, None)

    def rest(self, token: AccessToken, proxy: ProxyAddress | None = None) -> UpstoxRest:
        return UpstoxRest(self._client(self._hosts.api, proxy), token, self._governor(token, RateGroup.STANDARD))

    def feed(self, token: AccessToken) -> UpstoxFeed:
        return UpstoxFeed(self._authorize, token, self.clock.observe, timing=self._timing)

    def broker(self, token: AccessToken, egress: Egress) -> UpstoxBroker:
        governor = self._governor(token, RateGroup.ORDERS)
        stream = Stream(self._authorize_portfolio, timing=self._timing)
        http = self._client(self._hosts.orders, egress.proxy)
        requests = OrderRequests(http, token, governor, algo=egress.algo or self._algo)
        return UpstoxBroker(self.rest(token), requests, PortfolioFeed(stream, token))

    async def addresses(self, token: AccessToken, egress: Egress, *, are_required: bool) -> Addresses:
        told = await self.rest(token, egress.proxy).get(ADDRESSES, "/v2/user/ip")
        return Addresses(registered=told.registered(), are_required=are_required)

    def budget(self) -> dict[str, float]:
        left: dict[str, float] = {group.value: 1.0 for group in RateGroup}
        for (_, group), governor in self._governors.items():
            left[group.value] = min(left[group.value], governor.left())
        return left

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    def _client(self, host: str, proxy: ProxyAddress | None) -> httpx.AsyncClient:
        if (host, proxy) not in self._clients:
            url = None if proxy is None else proxy.reveal()
            self._clients[host, proxy] = http_client(host, proxy=url)
        return self._clients[host, proxy]

    async def _authorize(self, token: AccessToken) -> str:
        answer = await self.rest(token).get(_AUTHORIZED_FEED, "/v3/feed/market-data-feed/authorize")
        return answer.authorized_redirect_uri

    async def _authorize_portfolio(self, token: AccessToken) -> str:
        path = "/v2/feed/portfolio-stream-feed/authorize"
        return (await self.rest(token).get(_AUTHORIZED_FEED, path, ORDERS_ONLY)).authorized_redirect_uri

    def _governor(self, token: AccessToken, group: RateGroup) -> RateGovernor:
        key = (token.fingerprint, group)
        if key not in self._governors:
            patience = ORDER_PATIENCE if group is RateGroup.ORDERS else PATIENCE
            self._governors[key] = RateGovernor(self.clock, LIMITS[group], patience=patience)
        return self._governors[key]


class UpstoxVenue(Venue):
    """The real broker. Owns its HTTP connections: `aclose` at the end."""

    def __init__(
        self,
        *,
        hosts: Hosts = LIVE,
        clock: SystemMarketClock | None = None,
        timing: FeedTiming | None = None,
        algo: str | None = None,
    ) -> None:
        """Connect nowhere yet.

        `algo` is the name under which the exchange registered the algo: orders carry it whose
        user has none of his own.
        """
        self._clock = clock or SystemMarketClock()
        self._access = _Access(hosts, self._clock, timing=timing, algo=algo)

    @property
    def clock(self) -> SystemMarketClock:
        """System time; `offset` is its measured distance to the exchange's."""
        return self._clock

    async def name(self) -> str:
        """Return `upstox`."""
        return "upstox"

    def market_data(self, token: AccessToken) -> UpstoxMarketData:
        """Return the read side for this credential."""
        return UpstoxMarketData(self._access.rest(token), self._clock)

    def feed(self, token: AccessToken) -> UpstoxFeed:
        """Return an unconnected feed for this credential."""
        return self._access.feed(token)

    def broker(self, token: AccessToken, egress: Egress = DIRECT) -> UpstoxBroker:
        """Return the account of this credential; its orders leave by `egress`."""
        return self._access.broker(token, egress)

    async def addresses(self, token: AccessToken, egress: Egress) -> Addresses:
        """Return the user's static addresses. Source: GET /v2/user/ip."""
        return await self._access.addresses(token, egress, are_required=True)

    def budget(self) -> dict[str, float]:
        """Return what is left of the rate limits, by group, for the credential that has least."""
        return self._access.budget()

    async def aclose(self) -> None:
        """Close the connections. Feeds end with the tasks that run them."""
        await self._access.aclose()


class SimulatorVenue(Venue):
    """One simulator on loopback. Ask for its `name` first: before that its clock knows no time.

    Owns its HTTP connections and its clock's task: `aclose` at the end.
    """

    def __init__(
        self,
        address: str,
        *,
        timing: FeedTiming | None = None,
        silence: float = SILENCE,
        algo: str | None = None,
    ) -> None:
        """Connect nowhere yet. `address` is its base URL; `silence` is the clock's, in seconds.

        `algo` is as of `UpstoxVenue`.

        Raises:
            ValueError: `address` is not on loopback.
        """
        self._clock = SimulatedMarketClock(self._read_clock, silence=silence)
        self._access = _Access(Hosts.simulator(address), self._clock, timing=timing, algo=algo)

    @property
    def clock(self) -> SimulatedMarketClock:
        """The simulator's market time."""
        return self._clock

    async def name(self) -> str:
        """Return the simulator's instance; the first time, and for a new run, its clock is read with it.

        Raises:
            BrokerUnavailable: it does not answer, or is no simulator.
        """
        reading = await self._read_clock()
        if reading.instance != self._clock.instance:
            # Not of the same run: there its feed's stamps lead, or frames on their way would be late.
            self._clock.take(reading)
        return reading.instance

    def market_data(self, token: AccessToken) -> UpstoxMarketData:
        """Return the read side for this credential."""
        return UpstoxMarketData(self._access.rest(token), self._clock)

    def feed(self, token: AccessToken) -> UpstoxFeed:
        """Return an unconnected feed for this credential."""
        return self._access.feed(token)

    def broker(self, token: AccessToken, egress: Egress = DIRECT) -> UpstoxBroker:
        """Return the account of this credential; its orders leave by `egress`."""
        return self._access.broker(token, egress)

    async def addresses(self, token: AccessToken, egress: Egress) -> Addresses:
        """Return the user's static addresses; a simulator refuses nobody for having none. Source: GET /v2/user/ip."""
        return await self._access.addresses(token, egress, are_required=False)

    def budget(self) -> dict[str, float]:
        """Return what is left of the rate limits, by group, for the credential that has least."""
        return self._access.budget()

    async def aclose(self) -> None:
        """Stop the clock and close the connections. Feeds end with the tasks that run them."""
        await self._clock.aclose()
        await self._access.aclose()

    async def _read_clock(self) -> ClockReading:
        try:
            answer = (await self._access.http.get("/sim/clock")).raise_for_status()
            told = _ClockPayload.model_validate_json(answer.content)
        except httpx.HTTPError as error:
            raise BrokerUnavailable(f"the simulator does not answer: {type(error).__name__}") from error
        except ValidationError as error:
            raise BrokerUnavailable("what answers there is no simulator") from error
        return ClockReading(now=told.now_ms, speed=told.speed, instance=told.instance)
