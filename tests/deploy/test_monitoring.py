"""The alert rules, the dashboard and the page name what the service really tells."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from algoexec.engine.events import Mode
from tests.api.recorded import recorded
from tests.api.support import Service, running_service
from tests.conftest import ROOT
from tests.unit.telemetry.test_metrics import told

DEPLOY: Final = ROOT / "deploy"
RULES: Final = DEPLOY / "prometheus" / "alerts.yaml"
DASHBOARD: Final[dict[str, Any]] = json.loads((DEPLOY / "grafana" / "algoexec.json").read_text())
NAME: Final = re.compile(r"\b(?:algoexec|process)_[a-z_]+\b")


async def families(service: Service) -> dict[str, set[str]]:
    """Return the labels of every metric that the service tells once there was something to tell."""
    day = recorded("ashasession00000", "asha", mode=Mode.PAPER)
    meters = service.app.state.services.meters
    told(day, meters, service.clock)
    meters.order_seconds.labels("place", "ok").observe(0.1)
    async with service.client() as client:
        await client.post("/sessions", json={"user_id": "asha", "access_token": "good-token"})
        text = (await client.get("/metrics")).text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    shown = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return [*shown, *(rule["expr"] for rule in rules())]


# Known only at a real venue: what the scripted one has none of.
AT_A_VENUE: Final = {
    "algoexec_feed_age_seconds": set[str](),
    "algoexec_clock_offset_seconds": set[str](),
    "algoexec_rate_budget_left_ratio": {"group"},
}


async def test_every_metric_that_is_asked_for_is_told_with_these_labels() -> None:
    async with running_service() as service:
        known = {**AT_A_VENUE, **await families(service)}

    for expression in expressions():
        labels = set().union(*(known.get(name, set()) for name in NAME.findall(expression)))
        assert set(NAME.findall(expression)) <= set(known), expression
        grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", expression))))
        asked = set(re.findall(r"(\w+)=~?\"", expression)) - {"job"}
        assert grouped | asked <= labels, expression


async def test_the_page_lists_every_metric_with_its_labels() -> None:
    async with running_service() as service:
        known = {**AT_A_VENUE, **await families(service)}
    page = (ROOT / "docs" / "metrics.md").read_text()
    listed = {
        row[0].strip("` "): set(re.findall(r"`(\w+)`", row[1]))
        for line in page.splitlines()
        if line.startswith("| `algoexec_") and (row := line.strip("|").split("|"))
    }
    plain = {
        re.sub(r"_(bucket|count|sum)$", "", name): labels - {"le"}
        for name, labels in known.items()
        if name.startswith("algoexec_")
    }
    assert listed == plain


def test_every_rule_says_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]


def test_the_dashboard_has_the_form_that_grafana_reads() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert {panel["type"] for panel in DASHBOARD["panels"]} == {"row", "stat", "timeseries"}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or (panel["targets"] and panel["description"])


def _promtool() -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("no promtool on PATH (Debian: prometheus)")
    return program


def test_prometheus_loads_the_rules_and_its_configuration(tmp_path: Path) -> None:
    promtool = _promtool()
    folder = tmp_path / "prometheus"
    shutil.copytree(DEPLOY / "prometheus", folder)
    key = folder / "algoexec.key"
    key.write_text("ae_key")
    configuration = folder / "prometheus.yaml"
    configuration.write_text(configuration.read_text().replace("/etc/prometheus/algoexec.key", str(key)))

    told = subprocess.run([promtool, "check", "config", str(configuration)], capture_output=True, text=True)

    assert told.returncode == 0, told.stdout + told.stderr
    assert f"{len(rules())} rules found" in told.stdout


def test_every_expression_is_one(tmp_path: Path) -> None:
    """What the dashboard asks is read as Prometheus reads it, as rules that record it."""
    promtool = _promtool()
    recording = [
        {"record": f"algoexec:panel{n}", "expr": expression.replace("$job", ".*")}
        for n, expression in enumerate(expressions())
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recording}]}))

    told = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True)

    assert told.returncode == 0, told.stdout + told.stderr
