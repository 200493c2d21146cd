"""Settings: what is refused, and that each is documented."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from algoexec.adapters.alerts.notices import Kind
from algoexec.settings import Broker, Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variables():
        monkeypatch.delenv(name, raising=False)


def variables() -> list[str]:
    """Return the name of every variable that is read."""
    return [field.alias or f"ALGOEXEC_{name.upper()}" for name, field in Settings.model_fields.items()]


@pytest.mark.parametrize("variable", variables())
def test_every_setting_has_a_row_on_the_page(variable: str) -> None:
    assert f"| `{variable}` |" in PAGE.read_text()


def test_the_page_has_no_row_of_a_setting_that_is_gone() -> None:
    rows = [line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(variables())


def test_without_an_environment_the_service_is_for_this_machine_alone() -> None:
    settings = Settings()
    assert settings.is_loopback
    assert settings.broker is Broker.UPSTOX
    assert settings.cors_origins == ()


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOEXEC_CORS_ORIGINS", "https://a.example, https://b.example,")
    assert Settings().cors_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("WEB_CONCURRENCY", "4", "one worker"),
        ("ALGOEXEC_JWT_SECRET", "short", "32 bytes"),
        ("ALGOEXEC_PORT", "70000", "65535"),
        ("ALGOEXEC_BROKER", "zerodha", "upstox"),
        ("ALGOEXEC_LOG_LEVEL", "loud", "pattern"),
        ("ALGOEXEC_REDIS_URL", "http://:hunter2@host", "begins with redis://"),
        ("ALGOEXEC_TELEGRAM_TOKEN", "hunter2", "or neither"),
        ("ALGOEXEC_WEBHOOK_URL", "https://hunter2.example", "or neither"),
        ("ALGOEXEC_WEBHOOK_SECRET", "hunter2", "16 characters"),
        ("ALGOEXEC_ALERTS", "alert,gossip", "login"),
        ("ALGOEXEC_REDIS_PREFIX", "a:b", "pattern"),
        ("ALGOEXEC_REDIS_EVENT_TEXT", "not a place", "pattern"),
        ("ALGOEXEC_ALGO_NAME", "two\nlines", "pattern"),
        ("ALGOEXEC_EGRESS_PROXIES", "http://proxy.example:3128", "host:port"),
        ("ALGOEXEC_EGRESS_PROXIES", "proxy.example:3128=home", "address"),
        ("ALGOEXEC_EGRESS_ADDRESS", "home", "address"),
    ],
)
def test_what_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError, match=said) as refused:
        Settings()
    assert "hunter2" not in str(refused.value)


def test_every_kind_of_message_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOEXEC_ALERTS", ",".join(Kind))
    assert set(Settings().alerts) == set(Kind)


def test_two_kinds_of_jwt_are_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOEXEC_JWKS_URL", "https://identity.example/keys")
    monkeypatch.setenv("ALGOEXEC_JWT_SECRET", "s" * 32)
    with pytest.raises(ValidationError, match="not both"):
        Settings()


def test_secrets_do_not_print(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOEXEC_MONGODB_URI", "mongodb://user:hunter2@host")
    monkeypatch.setenv("ALGOEXEC_SECRET_KEY", "correct horse battery")
    for name in ("ALGOEXEC_TELEGRAM_TOKEN", "ALGOEXEC_WEBHOOK_URL", "ALGOEXEC_WEBHOOK_SECRET"):
        monkeypatch.setenv(name, "https://hunter2.hunter2.example")
    monkeypatch.setenv("ALGOEXEC_TELEGRAM_CHAT", "-100")
    monkeypatch.setenv("ALGOEXEC_REDIS_URL", "redis://:hunter2@host")
    assert "hunter2" not in repr(Settings())
    assert "horse" not in repr(Settings())
