"""What cannot be played is refused at once."""

from pathlib import Path
from typing import Any

import pytest

from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.users_file import Account, BadUsersFile, Users, read_users


@pytest.mark.parametrize(
    "settings",
    [{"speed": 0}, {"speed": -1.0}, {"step_ms": 0}, {"step_ms": 251}, {"feeds_per_user": 0}, {"frames_per_ping": 0}],
)
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        SimulatorSettings(**settings)


def test_without_a_speed_the_subscribers_set_the_pace() -> None:
    assert SimulatorSettings(speed=None).waits_for_subscribers
    assert SimulatorSettings(paced=True).waits_for_subscribers
    assert not SimulatorSettings(speed=60.0).waits_for_subscribers


def test_a_users_file_says_what_each_user_has(tmp_path: Path) -> None:
    file = tmp_path / "users.yaml"
    file.write_text(
        "users:\n"
        "  ann:\n"
        "    funds: 250000.5\n"
        "    static_ips: [127.0.0.1, '2001:DB8::1']\n"
        "  bob: {plan: plus, feeds: 3, disabled_segments: [NSE_FO]}\n"
        "others: refuse\n"
    )
    users = read_users(file)

    assert users.others == "refuse"
    assert users.users["ann"].funds_paise == 25_000_050
    assert [str(address) for address in users.users["ann"].static_ips] == ["127.0.0.1", "2001:db8::1"]
    assert users.users["bob"].disabled_segments == {"NSE_FO"}


def test_a_users_file_may_be_json_or_empty(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    file.write_text('{"users": {"ann": {"extended": true}}}')
    assert read_users(file).users["ann"].extended
    file.write_text("")
    assert read_users(file) == Users()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("users:\n  ann: {fund: 1}", "users.ann.fund: Extra inputs"),
        ("users:\n  ann: {funds: -1}", "users.ann.funds: Input should be greater"),
        ("users:\n  ann: {funds: 1.005}", "users.ann.funds: Decimal"),
        ("users:\n  ann: {static_ips: [home]}", "users.ann.static_ips.0"),
        ("users:\n  ann: {static_ips: [192.0.2.1, 192.0.2.2, 192.0.2.3]}", "users.ann.static_ips: Tuple"),
        ("users:\n  ann: {disabled_segments: [NFO]}", "users.ann.disabled_segments"),
        ("users:\n  'a:b': {}", "users.a:b"),
        ("others: maybe", "others: Input should be"),
        ("- ann", "file: Input should be"),
        ("users:\n  ann: [", ":2:9:"),
    ],
)
def test_a_bad_users_file_is_named_with_the_place(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "users.yaml"
    file.write_text(text)
    with pytest.raises(BadUsersFile) as error:
        read_users(file)
    assert str(error.value).startswith(str(file))
    assert complaint in str(error.value)


def test_a_missing_users_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadUsersFile, match="No such file"):
        read_users(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("said", "connections"),
    [({}, 7), ({"plan": "standard"}, 2), ({"plan": "plus"}, 5), ({"plan": "plus", "feeds": 1}, 1)],
)
def test_the_plan_decides_the_number_of_feeds_unless_the_file_does(said: dict[str, Any], connections: int) -> None:
    assert Account.model_validate(said).connections(7) == connections
