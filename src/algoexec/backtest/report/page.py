"""`report.html`: one file that a browser shows without a network."""

import re
from importlib.resources import files
from typing import Final

import orjson

from algoexec.backtest.report.payload import payload_of
from algoexec.backtest.result import BacktestResult

_STATIC: Final = files("algoexec.backtest.report") / "static"
_HOLES: Final = {"style": "page.css", "charts": "echarts.min.js", "script": "page.js"}
_HOLE: Final = re.compile(r"<!--(\w+)-->")


def report_page(result: BacktestResult) -> str:
    """Return the page of a run: style, script and data are inside it."""
    parts = {hole: (_STATIC / name).read_text(encoding="utf-8") for hole, name in _HOLES.items()}
    parts["data"] = _inside_script(orjson.dumps(payload_of(result)).decode())
    template = (_STATIC / "page.html").read_text(encoding="utf-8")
    return _HOLE.sub(lambda hole: parts[hole[1]], template)


def _inside_script(json: str) -> str:
    """Return JSON that cannot end the element it stands in; names come from files of other people."""
    return json.replace("<", "\\u003c")
