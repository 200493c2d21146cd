"""What came of signals and days, and what both are found by."""

from datetime import date

from beanie import free_fall_migration
from pymongo.asynchronous.client_session import AsyncClientSession

from algoexec.engine.events import Mode
from algoexec.storage.days import with_session
from algoexec.storage.documents import (
    DayDocument,
    OrderDocument,
    RejectionDocument,
    SessionDocument,
    TradeDocument,
)


class Forward:
    """What leads here from a service that listed orders and trades alone."""

    @free_fall_migration(  # type: ignore[untyped-decorator]
        document_models=[DayDocument, OrderDocument, TradeDocument, RejectionDocument, SessionDocument]
    )
    async def days(self, session: AsyncClientSession) -> None:
        """Make the days of the sessions that there are, and name the signals of the refusals that there are."""
        sessions, days = SessionDocument.get_pymongo_collection(), DayDocument.get_pymongo_collection()
        async for row in sessions.find({}, session=session):
            key = {"venue": row["venue"], "user_id": row["user_id"]}
            day = with_session(row["_id"], **key, mode=Mode(row["mode"]), day=date.fromisoformat(row["day"]))
            await days.bulk_write([day], session=session)
        step = {"$first": {"$objectToArray": "$history"}}
        await OrderDocument.get_pymongo_collection().update_many(
            {"is_refused": True, "signal_id": {"$exists": False}},
            [{"$set": {"step": step}}, {"$set": {"signal_id": "$step.v.told.signal_id"}}, {"$unset": "step"}],
            session=session,
        )
