"""`make run`: it shows signals, and leaves nothing behind however it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.stack import ALGOEXEC, free_port
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and only Linux ends children by itself")


@contextmanager
def demo(temporary: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run the demo at 120× with `temporary` as the system's temporary folder."""
    process = subprocess.Popen(
        [*ALGOEXEC, "demo", f"--port={free_port()}", "--speed=120"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def read_to_the_first_signal(process: "subprocess.Popen[str]") -> None:
    """Read what it prints up to its first signal."""
    assert process.stdout is not None
    for line in process.stdout:
        if " SIGNAL " in line:
            return
    pytest.fail("the demo ended without a signal")


def children(pid: int) -> set[int]:
    """Return the processes whose parent is `pid`."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.add(int(stat.parent.name))
    return found


def is_alive(pid: int) -> bool:
    """Return whether the process runs; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_ctrl_c_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        read_to_the_first_signal(process)
        started = children(process.pid)
        assert len(started) == 2, "a simulator and a mongod"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert not any(map(is_alive, started))
        assert list(tmp_path.iterdir()) == []


def test_a_killed_demo_takes_its_children_along_and_the_next_one_clears_its_folder(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        read_to_the_first_signal(process)
        started = children(process.pid)
        process.kill()
        process.wait()
        until(lambda: not any(map(is_alive, started)), within=10)
    (left,) = tmp_path.iterdir()
    with demo(tmp_path) as process:
        read_to_the_first_signal(process)
        assert not left.exists()


def test_a_taken_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        read_to_the_first_signal(process)
        port = next(part for part in process.args if str(part).startswith("--port="))  # type: ignore[union-attr]
        second = subprocess.run([*ALGOEXEC, "demo", str(port)], capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert "is taken" in second.stderr
