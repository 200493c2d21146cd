"""Which mongod serves a data folder, and which process is answerable for it."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path


def started_at(pid: int) -> str | None:
    """Return when the process began, in the system's own words.

    Process ids come round again; together with this they do not. None where the system does
    not tell, and for a process that has ended and only waits to be reaped.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    state, threads, started = fields[0], int(fields[17]), fields[19]
    # While threads of it still die, the first one may be a zombie already: files and port are not free yet.
    return None if state == "Z" and threads <= 1 else started


def is_alive(pid: int, started: str | None) -> bool:
    """Return whether the process that began then is still there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return started_at(pid) == started


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server and its owner: the process that ends it."""

    pid: int
    started: str | None
    port: int
    owner: int
    owner_started: str | None

    def is_alive(self) -> bool:
        """Return whether the server's process is there."""
        return is_alive(self.pid, self.started)

    def owner_lives(self) -> bool:
        """Return whether somebody will still end it."""
        return is_alive(self.owner, self.owner_started)

    def inherited_by(self, pid: int) -> "Running":
        """Return the server with a new owner."""
        return replace(self, owner=pid, owner_started=started_at(pid))


class PidFile:
    """The note that a start leaves for the next one."""

    def __init__(self, path: Path) -> None:
        """Keep it at `path`."""
        self._path = path

    def read(self) -> Running | None:
        """Return what was noted; None when there is nothing, or nothing that can be read."""
        try:
            return Running(**json.loads(self._path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, running: Running) -> None:
        """Note it, whole or not at all."""
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(running)), "utf-8")
        draft.replace(self._path)

    def close(self, ended: Running) -> None:
        """Forget who ran, but not where: a client that waits looks at the same port."""
        if self.read() == ended:
            self.write(replace(ended, pid=0, started="ended"))
