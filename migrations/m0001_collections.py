"""Every collection with its indexes.

One step a file: Beanie runs the steps inside one in alphabetical order. Forward only, and
to be run twice without harm, for a process may be killed between a step and its note.
"""

from beanie import free_fall_migration
from pymongo.asynchronous.client_session import AsyncClientSession

from algoexec.storage.documents import DOCUMENTS


class Forward:
    """What leads here from an empty database."""

    @free_fall_migration(document_models=list(DOCUMENTS))  # type: ignore[untyped-decorator]
    async def collections(self, session: AsyncClientSession) -> None:
        """Do no more than Beanie has done for the documents named above."""
