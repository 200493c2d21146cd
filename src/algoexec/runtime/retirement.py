"""Before the service stops: nothing is begun any more, and what is held is made safe, as far as there is time."""

import asyncio
from collections.abc import Iterable
from typing import Final

from algoexec.domain.errors import FenceLost
from algoexec.engine.events import Mode, OnShutdown, ServiceStopping
from algoexec.engine.trading.flow import is_secured
from algoexec.runtime.runner import SessionRunner
from algoexec.telemetry import logger

SECURE_WITHIN_S: Final = 4.0
"""Wall seconds for all sessions together; what is not done then is left to the next start."""

_log = logger("shutdown")


def stopping_of(runner: SessionRunner, policy: OnShutdown) -> ServiceStopping:
    """Return what a session is told; orders on paper end with the process, so none of them protects anything."""
    is_paper = runner.state.mode is Mode.PAPER
    return ServiceStopping(policy=OnShutdown.LEAVE if is_paper and policy is OnShutdown.PROTECT else policy)


async def secure(runners: Iterable[SessionRunner], policy: OnShutdown) -> None:
    """Tell sessions that the service stops, and return once all they hold is safe, or there is no more time."""
    waiting = {asyncio.create_task(_secured(runner, policy)): runner for runner in runners}
    if not waiting:
        return
    _, late = await asyncio.wait(waiting, timeout=SECURE_WITHIN_S)
    for task in late:
        state = waiting[task].state
        _log.error("left to the next start as it is", session_id=state.session_id, policy=policy.value)
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def _secured(runner: SessionRunner, policy: OnShutdown) -> None:
    event = stopping_of(runner, policy)
    try:
        await runner.ask(event)
        await runner.changed.until(lambda: is_secured(runner.state, event.policy))
    except FenceLost:
        return  # whoever runs it now keeps it safe
    _log.info("secured", session_id=runner.state.session_id, policy=event.policy.value)
