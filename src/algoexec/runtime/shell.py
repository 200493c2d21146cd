"""What all sessions of a process share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from algoexec.engine.events import Record
from algoexec.ports.clock import MarketClock, WallClock
from algoexec.ports.egress import Egresses, EgressPolicy
from algoexec.ports.spill import Spill
from algoexec.ports.stores import Tokens
from algoexec.runtime.desks import MarketDesks
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.journal_writer import JournalWriter
from algoexec.runtime.observing import Observers
from algoexec.runtime.projector import Projector
from algoexec.runtime.seat import OpenAccount

type Canonical = Callable[[Record], Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What all runners of a process share.

    `canonical` gives a record the form in which the journal will give it back, so that what
    is stepped now and what is stepped at a recovery are the same. Once `leaving` is set the process
    is about to stop: no entry is sent any more, exits are.
    """

    journal: JournalWriter
    spill: Spill | None
    projector: Projector
    hub: StreamHub
    desks: MarketDesks
    tokens: Tokens
    egresses: Egresses
    egress: EgressPolicy
    clock: MarketClock
    wall: WallClock
    canonical: Canonical
    open_account: OpenAccount
    observers: Observers
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
