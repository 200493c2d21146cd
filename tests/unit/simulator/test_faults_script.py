"""Fault scripts as they are written: what is read, what is refused, what ships."""

from collections.abc import Mapping
from datetime import time
from pathlib import Path

import pytest

from algoexec.simulator.faults import effects
from algoexec.simulator.faults.loading import BadScript, named_or_file, parse, read, shipped, shipped_names
from algoexec.simulator.faults.script import Do, Script

HEAD = "name: one\nimitates: something\nfaults:\n"


def refused(faults: str) -> str:
    with pytest.raises(BadScript) as error:
        read(HEAD + faults, source="one.yaml")
    return str(error.value)


def test_a_script_is_yaml_or_json() -> None:
    script = read(HEAD + "- when: {from: 10:03, until: 10:03:30, count: 2}\n  do: {answer: 503}", source="a")
    as_json = (
        '{"name": "one", "imitates": "something", "faults": [{"when": '
        '{"from": "10:03", "until": "10:03:30", "count": 2}, "do": {"answer": {"status": 503}}}]}'
    )

    assert script == read(as_json, source="b")
    (fault,) = script.faults
    assert (fault.when.from_, fault.when.until) == (time(10, 3), time(10, 3, 30)), "10:03 is not the number 603"
    assert fault.do.effect == effects.Answer(status=503)


@pytest.mark.parametrize(
    ("faults", "place", "words"),
    [
        ("- do: {}", "faults.0.do", "one kind"),
        ("- do: {half_open:}", "faults.0.do", "one kind"),
        ("- do: {answer: 503, cut: before}", "faults.0.do", "one kind"),
        ("- do: {anser: 503}", "faults.0.do.anser", "Extra inputs"),
        ("- do: {answer: {status: 503, boddy: html}}", "faults.0.do.answer.boddy", "Extra inputs"),
        ("- do: {answer: 99}", "faults.0.do.answer.status", "greater than"),
        ("- do: {cut: sideways}", "faults.0.do.cut.at", "'before'"),
        ("- do: {stall: 3}\n- {when: {frm: '10:00'}, do: {stall: 3}}", "faults.1.when.frm", "Extra inputs"),
        ("- {when: {from: '25:00'}, do: {stall: 3}}", "faults.0.when.from", "time"),
        ("- {when: {from: 603}, do: {stall: 3}}", "faults.0.when.from", "HH:MM"),
        ("- {when: {from: '10:05', until: '10:05'}, do: {stall: 3}}", "faults.0.when", "after from"),
        ("- {when: {probability: 1.5}, do: {stall: 3}}", "faults.0.when.probability", "less than or equal"),
        ("- {when: {count: 0}, do: {stall: 3}}", "faults.0.when.count", "greater than"),
        ("- {when: {side: BUY}, do: {half_open: {}}}", "faults.0", "when.side does not go with half_open"),
        ("- {when: {path: /a}, do: {reject: no}}", "faults.0", "when.path does not go with reject"),
        ("- {when: {count: 3}, do: {book: zero}}", "faults.0", "when.count does not go with book"),
        ("- {when: {skip: 3}, do: {clock_skew: 5}}", "faults.0", "when.skip does not go with clock_skew"),
        ("- do: {partial: {}}", "faults.0.do.partial", "fraction or units"),
        ("- do: {partial: {fraction: 0.5, units: 30}}", "faults.0.do.partial", "fraction or units"),
        ("- do: {candle_gap: {}}", "faults.0.do.candle_gap", "from and until, or newest"),
        ("- do: {candle_gap: {from: '10:00'}}", "faults.0.do.candle_gap", "from and until, or newest"),
        ("- do: {close: 1005}", "faults.0.do.close.code", "1006"),
        ("- do: {hand: {sell: most}}", "faults.0.do.hand.sell", "half"),
        ("  []", "", "imitates nothing"),
    ],
)
def test_a_mistake_is_named_with_its_place(faults: str, place: str, words: str) -> None:
    error = refused(faults)

    assert error.startswith(f"one.yaml: {place}")
    assert words in error


@pytest.mark.parametrize("text", ["", "[1]", "name: [", "just words", "name: Big Name\nimitates: x\nfaults: []"])
def test_what_is_no_script_is_refused(text: str) -> None:
    with pytest.raises(BadScript, match=r"^a\.yaml: "):
        read(text, source="a.yaml")


def test_at_least_ten_scripts_ship_and_each_says_what_it_imitates() -> None:
    scripts = [shipped(name) for name in shipped_names()]

    assert len(scripts) >= 10
    assert [script.name for script in scripts] == shipped_names(), "a file is named like its script"
    assert len({script.seed for script in scripts}) == len(scripts)
    for script in scripts:
        assert len(script.imitates) > 40
        assert script.imitates.endswith(".")


def test_every_kind_of_fault_is_in_a_script_that_ships() -> None:
    shown = {fault.do.kind for name in shipped_names() for fault in shipped(name).faults}

    assert shown == set(Do.model_fields)


def test_a_script_is_found_by_its_name_or_its_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(HEAD + "- do: {half_open: {}}", encoding="utf-8")

    assert named_or_file("silent-feed") == shipped("silent-feed")
    assert named_or_file(str(file)).name == "one"
    with pytest.raises(BadScript, match="neither a readable file nor one of dirty-data, "):
        named_or_file(str(tmp_path / "other.yaml"))
    with pytest.raises(BadScript, match="no script named 'no-such' ships"):
        shipped("no-such")


def test_a_script_goes_through_json_unchanged() -> None:
    for name in shipped_names():
        script = shipped(name)
        again: Mapping[str, object] = script.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        assert parse(again, source="again") == script
        assert isinstance(script, Script)
