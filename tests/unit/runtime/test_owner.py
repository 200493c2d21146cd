"""Whether the process that holds a lease can still be alive."""

import os
import subprocess
import sys

import pytest

from algoexec.runtime.owner import is_surely_dead, new_owner


def ended_process() -> int:
    """Return the number of a process that has ended and was waited for."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_no_two_owners_have_the_same_name() -> None:
    assert len({new_owner() for _ in range(100)}) == 100


def test_a_process_of_this_host_that_has_ended_is_dead() -> None:
    me = new_owner()
    host = me.split("/")[0]
    assert is_surely_dead(f"{host}/{ended_process()}/00000000", me)


def test_a_process_of_this_host_that_runs_is_not() -> None:
    me = new_owner()
    host = me.split("/")[0]
    assert not is_surely_dead(f"{host}/{os.getppid()}/00000000", me)


def test_a_process_of_somebody_else_is_not() -> None:
    me = new_owner()
    host = me.split("/")[0]
    assert not is_surely_dead(f"{host}/1/00000000", me)


def test_our_own_number_in_another_life_is_dead() -> None:
    """In a container every start has number 1."""
    me = new_owner()
    host, pid, _ = me.split("/")
    assert is_surely_dead(f"{host}/{pid}/00000000", me)


def test_we_are_not_dead_ourselves() -> None:
    me = new_owner()
    assert not is_surely_dead(me, me)


def test_of_another_host_nothing_is_known() -> None:
    assert not is_surely_dead(f"elsewhere/{ended_process()}/00000000", new_owner())


@pytest.mark.parametrize("owner", ["", "{host}", "{host}/", "{host}/pid/life", "elsewhere/b", "host/1/2/3"])
def test_a_name_that_is_none_of_ours_is_believed(owner: str) -> None:
    me = new_owner()
    assert not is_surely_dead(owner.format(host=me.split("/")[0]), me)
