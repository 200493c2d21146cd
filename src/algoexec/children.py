"""Child processes that cannot outlive us."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import IO, Final

# Asks the kernel to end the child with its parent, then becomes it. Not a preexec_fn: that runs Python
# between fork and exec, which can deadlock in a process with threads. PR_SET_PDEATHSIG survives exec.
_LAUNCHER: Final = """
import ctypes, os, signal, sys
if ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL) or os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


def spawn(
    command: Sequence[str], *, stdout: IO[bytes] | int = subprocess.DEVNULL, stderr: IO[bytes] | int | None = None
) -> "subprocess.Popen[bytes]":
    """Start `command` (its first word a path) as a child; `stderr` None is ours.

    On Linux the kernel ends it (SIGKILL) with the *thread* that called this, so call it
    where the thread lives as long as the process. It gets a session of its own: Ctrl-C in
    a terminal is for us, who then end it in order.
    """
    if sys.platform == "linux":
        command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True)
