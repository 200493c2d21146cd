"""The command line. Each command imports what it needs, so that `--help` is instant."""

from typing import Final

import typer

from algoexec.cli import analysers, keys, recorded, service, sweep
from algoexec.cli.backtest import backtest
from algoexec.cli.doctor import doctor
from algoexec.cli.replay import replay
from algoexec.cli.simulator import simulator

app: Final = typer.Typer(
    name="algoexec",
    help="Run automated Bank Nifty option-scalping sessions over the Upstox broker API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """Keep commands as subcommands, also while there is only one."""


app.command("doctor")(doctor)
app.command("demo")(service.demo)
app.command("serve")(service.serve)
app.command("simulator")(simulator)
app.command("signals")(recorded.signals)
app.command("backtest")(backtest)
app.command("sweep")(sweep.sweep)
app.command("walkforward")(sweep.walkforward)
app.command("lookahead")(analysers.lookahead)
app.command("warmup")(analysers.warmup)
app.command("replay")(replay)
app.command("migrate")(service.migrate)
app.command("openapi")(service.openapi)
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run the command line."""
    app()
