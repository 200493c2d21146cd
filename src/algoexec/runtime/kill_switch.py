"""The kill switch: stored, so that it outlasts whoever threw it, and told to every session that trades."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final
from weakref import WeakKeyDictionary

from algoexec.domain.errors import AlgoexecError, StoreError
from algoexec.engine.events import KillSwitched
from algoexec.ports.trading import KillSwitch, KillSwitches
from algoexec.runtime.runner import SessionRunner
from algoexec.telemetry import logger

_EVERY_S: Final = 2.0
"""Wall seconds between looks at what is stored: another process may have thrown it."""

_log = logger("kill_switch")


class KillSwitchOn(AlgoexecError):
    """No session that trades may begin; the message says why, and who says so."""


class KillSwitchKeeper:
    """Keeps the sessions of this process in step with the switches that are stored.

    Sessions are asked what they know, so one that was begun, or taken up from another process,
    after the switch was thrown is told as well.
    """

    def __init__(self, switches: KillSwitches, running: Iterable[SessionRunner]) -> None:
        """Look at `switches` on behalf of `running`; call `keep`."""
        self._switches, self._running = switches, running
        self._told: WeakKeyDictionary[SessionRunner, str | None] = WeakKeyDictionary()

    async def keep(self) -> None:
        """Tell sessions for ever; ends by cancellation."""
        while True:
            try:
                await self.tell()
            except StoreError as error:
                _log.warning("kill switches not read", error=str(error))
            except Exception:  # noqa: BLE001 - a task's root: if it ended, no session would hear of a switch again
                _log.exception("kill switches not read")
            await asyncio.sleep(_EVERY_S)

    async def tell(self) -> None:
        """Tell each session whether it is killed, unless it knows.

        Raises:
            StoreUnavailable: the switches cannot be read.
        """
        on = await self._switches.list()
        for runner in self._running:
            trading = runner.state.trading
            if trading is None or runner.state.status.is_over:
                continue
            reason = reason_for(on, runner.state.user_id)
            if reason != self._told.get(runner, trading.killed):
                runner.tell(KillSwitched(reason=reason))
                self._told[runner] = reason

    async def require_off(self, user_id: str) -> None:
        """Return if that user may begin a session that trades.

        Raises:
            KillSwitchOn: they may not.
        """
        reason = reason_for(await self._switches.list(), user_id)
        if reason is not None:
            raise KillSwitchOn(reason)


def holding_for(on: Sequence[KillSwitch], user_id: str) -> list[KillSwitch]:
    """Return the switches that hold for a user."""
    return [switch for switch in on if switch.user_id in (None, user_id)]


def reason_for(on: Sequence[KillSwitch], user_id: str) -> str | None:
    """Return why a user's sessions are killed, and by whom; None when they are not."""
    return next((f"{switch.reason} (by {switch.by})" for switch in holding_for(on, user_id)), None)
