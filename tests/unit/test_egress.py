"""Egress proxies: what is one, what of it is shown, and which the operator allows."""

import pytest

from algoexec.ports.egress import DIRECT, Egress, EgressPolicy, ProxyAddress, ProxyNotAllowed, place_of

PROXY = ProxyAddress("http://ann:pass-word@Proxy.Example:3128")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://proxy.example:3128", "proxy.example:3128"),
        (" https://ann:p%40ss@PROXY.example:443/ ", "proxy.example:443"),
        ("http://[2001:DB8::1]:8080", "[2001:db8::1]:8080"),
    ],
)
def test_a_proxy_is_known_by_its_place(url: str, place: str) -> None:
    assert ProxyAddress(url).place == place
    assert ProxyAddress(url).reveal() == url.strip()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy.example:3128",
        "http://proxy.example",
        "socks5://proxy.example:1080",
        "http://proxy.example:3128/path",
        "http://proxy.example:3128?pass-word",
        "http://proxy.example:3128#x",
        "http://ann:pass-word@:3128",
        "http://ann:pass-word/x@proxy.example:3128",
        "http://ann:pass-word@proxy.example:port",
        "http://ann:pass-word@proxy.example:99999",
        "http://[pass-word]:1",
    ],
)
def test_what_is_no_proxy_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="egress proxy is http") as refused:
        ProxyAddress(url)
    assert "pass-word" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_its_password_is_not_shown() -> None:
    for shown in (repr(PROXY), str(PROXY), repr(Egress(PROXY, "x")), f"{[PROXY]}"):
        assert "pass-word" not in shown
        assert "proxy.example:3128" in shown


def test_proxies_are_compared_by_content() -> None:
    assert ProxyAddress("http://ann:pass-word@Proxy.Example:3128") == PROXY
    assert ProxyAddress("http://ann:other@Proxy.Example:3128") != PROXY
    assert len({PROXY, ProxyAddress("http://ann:pass-word@Proxy.Example:3128")}) == 1


def test_only_those_of_the_operator_are_allowed() -> None:
    policy = EgressPolicy.of("proxy.example:3128, 10.0.0.1:8080 = 203.0.113.7 ,", address="203.0.113.9", algo="ours")

    policy.require(DIRECT)
    policy.require(Egress(PROXY))
    for url in ("http://proxy.example:3129", "http://evil.example:3128", "http://proxy.example.evil.example:3128"):
        with pytest.raises(ProxyNotAllowed):
            policy.require(Egress(ProxyAddress(url)))
    with pytest.raises(ProxyNotAllowed) as refused:
        EgressPolicy().require(Egress(PROXY))
    assert "pass-word" not in str(refused.value)
    assert policy.address_of(DIRECT) == "203.0.113.9"
    assert policy.address_of(Egress(PROXY)) is None
    assert policy.address_of(Egress(ProxyAddress("https://10.0.0.1:8080"))) == "203.0.113.7"
    assert (policy.algo_of(DIRECT), policy.algo_of(Egress(algo="hers"))) == ("ours", "hers")


@pytest.mark.parametrize(
    "text", ["proxy.example", "http://proxy.example:3128", "ann:x@proxy.example:1", "a:1/x", "a:b"]
)
def test_a_place_is_a_host_and_a_port(text: str) -> None:
    with pytest.raises(ValueError, match=r"host:port|Port|port"):
        place_of(text)


@pytest.mark.parametrize(("proxies", "address"), [("a:1=nowhere", None), ("a:1=", None), ("", "here"), ("a", None)])
def test_what_the_operator_cannot_mean_is_refused(proxies: str, address: str | None) -> None:
    with pytest.raises(ValueError, match=r"host:port|address|port"):
        EgressPolicy.of(proxies, address=address)
