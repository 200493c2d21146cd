"""Records on the local disk while the journal cannot be written."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson

from algoexec.domain.errors import DecodeError
from algoexec.ports.stores import JournalEntry
from algoexec.storage.codec import JSON


class SpillFolder:
    """One file of JSON lines a session, in a folder of their own; what `write` wrote survives a power cut."""

    def __init__(self, folder: Path) -> None:
        """Keep files in `folder`, which is made when first needed."""
        self._folder: Final = folder

    def write(self, entries: Sequence[JournalEntry]) -> None:
        """Append entries of one session, through to the disk."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = b"".join(orjson.dumps(JSON.encode(entry)) + b"\n" for entry in entries)
        file = os.open(self._path(entries[0].session_id), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, lines)
            os.fsync(file)
        finally:
            os.close(file)

    def read(self, session_id: str) -> Sequence[JournalEntry]:
        """Return what was written and not forgotten, in order; a line that was torn by a crash was never acted upon.

        Raises:
            DecodeError: a line is of another version.
        """
        try:
            content = self._path(session_id).read_bytes()
        except FileNotFoundError:
            return ()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            return [JSON.decode(JournalEntry, orjson.loads(line)) for line in whole.splitlines()]
        except orjson.JSONDecodeError as error:
            raise DecodeError(f"spill file of session {session_id}: {error}") from error

    def forget(self, session_id: str) -> None:
        """Drop a session's entries: the journal has them."""
        self._path(session_id).unlink(missing_ok=True)

    def _path(self, session_id: str) -> Path:
        return self._folder / f"{session_id}.jsonl"
