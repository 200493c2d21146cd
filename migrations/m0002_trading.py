"""Orders, trades and kill switches, and what sessions that trade are found by."""

from beanie import free_fall_migration
from pymongo.asynchronous.client_session import AsyncClientSession

from algoexec.storage.documents import KillSwitchDocument, OrderDocument, SessionDocument, TradeDocument


class Forward:
    """What leads here from a service that only told signals."""

    @free_fall_migration(  # type: ignore[untyped-decorator]
        document_models=[OrderDocument, TradeDocument, KillSwitchDocument, SessionDocument]
    )
    async def trading(self, session: AsyncClientSession) -> None:
        """Do no more than Beanie has done for the documents named above."""
