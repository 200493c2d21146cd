"""Who holds a session's lease, and whether that process can still be alive."""

import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path


def new_owner() -> str:
    """Return a name for this process that no other and no later one has."""
    return f"{_home()}/{os.getpid()}/{secrets.token_hex(4)}"


def is_surely_dead(owner: str, me: str) -> bool:
    """Return whether `owner` was a process of this host that has ended.

    A lease of another host is believed until it expires: its process cannot be seen.
    """
    host, pid = _place(owner)
    my_host, my_pid = _place(me)
    if host != my_host or owner == me or not pid.isdecimal():
        return False
    if pid == my_pid:
        return True  # our own number, another life
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _place(owner: str) -> tuple[str, str]:
    """Return host and process number; a name that is not of our making has no number."""
    host, _, rest = owner.partition("/")
    return host, rest.partition("/")[0]


def _home() -> str:
    """Return where process numbers mean the same: this host since its last start, and this pid namespace.

    Containers may share a host name; they do not share these.
    """
    marks = [socket.gethostname()]
    with suppress(OSError):
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()[:8])
        marks.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return "-".join(marks)
