"""The private MongoDB starts, is shared, is inherited, and leaves no process behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from algoexec.storage import embedded, mongod_binary
from algoexec.storage.embedded import EmbeddedMongod, MongodFailed, embedded_mongod
from algoexec.storage.mongod_binary import MongodNotFound, find_mongod
from algoexec.storage.mongod_pidfile import PidFile, Running, started_at

# A process that starts the server of a folder, says where it is, and waits.
OWNER = """
import asyncio, sys
from pathlib import Path
from algoexec.storage.embedded import EmbeddedMongod
server = EmbeddedMongod(Path(sys.argv[1]))
asyncio.run(server.start())
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedMongod]:
    """Return a server that is stopped after the test."""
    try:
        find_mongod()
    except MongodNotFound as error:
        pytest.skip(str(error))
    server = EmbeddedMongod(tmp_path / "data folder")
    yield server
    await server.stop()


async def count(uri: str, *, add: bool = False) -> int:
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        if add:
            await client["x"]["y"].insert_one({})
        return await client["x"]["y"].count_documents({})


def owner_of(folder: Path) -> "subprocess.Popen[bytes]":
    """Start another process that starts the server and prints its id."""
    return subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def is_alive(pid: int) -> bool:
    return started_at(pid) is not None


class TestStart:
    async def test_it_is_a_replica_set_that_can_do_transactions(self, server: EmbeddedMongod) -> None:
        uri = await server.start()

        async with AsyncMongoClient[dict[str, Any]](uri) as client, client.start_session() as session:
            async with await session.start_transaction():
                await client["x"]["y"].insert_one({}, session=session)
            assert (await client.admin.command("hello"))["isWritablePrimary"]
        assert await count(uri) == 1

    async def test_it_keeps_data_and_port_over_a_stop(self, server: EmbeddedMongod) -> None:
        uri = await server.start()
        await count(uri, add=True)
        pid = server.pid
        await server.stop()
        assert pid is not None
        assert not is_alive(pid)

        assert await server.start() == uri
        assert await count(uri) == 1

    async def test_it_moves_to_another_port_when_the_last_one_is_taken(
        self, server: EmbeddedMongod, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uri = await server.start()
        await count(uri, add=True)
        await server.stop()
        monkeypatch.setattr(embedded, "PORT_TIMEOUT", 0.05)
        port = int(uri.split(":")[2].split("/")[0])

        async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port):
            elsewhere = await server.start()

        assert elsewhere != uri
        assert await count(elsewhere, add=True) == 2

    async def test_before_the_start_there_is_nowhere_to_connect(self, server: EmbeddedMongod) -> None:
        with pytest.raises(MongodFailed):
            _ = server.uri
        await server.stop()

    async def test_a_server_that_cannot_start_says_where_to_look(self, server: EmbeddedMongod, tmp_path: Path) -> None:
        data = tmp_path / "data folder" / "mongodb"
        data.mkdir(parents=True)
        (data / "storage.bson").write_text("nonsense")

        with pytest.raises(MongodFailed, match=r"mongod\.log"):
            await server.start()
        assert server.pid is None

    async def test_the_block_ends_it(self, tmp_path: Path, server: EmbeddedMongod) -> None:
        async with embedded_mongod(tmp_path) as uri:
            assert await count(uri) == 0
            left = PidFile(tmp_path / "mongod.pid").read()
        assert left is not None
        assert not is_alive(left.pid)

    async def test_in_the_block_it_is_started_again_after_a_crash(self, tmp_path: Path, server: EmbeddedMongod) -> None:
        async with embedded_mongod(tmp_path) as uri:
            await count(uri, add=True)
            for _ in range(2):
                left = PidFile(tmp_path / "mongod.pid").read()
                assert left is not None
                os.kill(left.pid, signal.SIGKILL)
                async with asyncio.timeout(60):
                    while PidFile(tmp_path / "mongod.pid").read() in (left, None):  # noqa: ASYNC110 - a file tells nobody
                        await asyncio.sleep(0.05)
                async with AsyncMongoClient[dict[str, Any]](uri) as client:  # it waits until somebody is there
                    assert await client["x"]["y"].count_documents({}) == 1
            left = PidFile(tmp_path / "mongod.pid").read()
        assert left is not None
        assert not is_alive(left.pid)


class TestSharing:
    async def test_another_process_borrows_it_and_leaves_it_running(self, server: EmbeddedMongod) -> None:
        folder = server.log.parent
        with owner_of(folder) as owner:
            assert owner.stdout is not None
            pid = int(await asyncio.to_thread(owner.stdout.readline))
            await count(await server.start(), add=True)
            assert server.pid == pid

            await server.stop()

            assert is_alive(pid)
            owner.kill()

    async def test_it_ends_with_its_owner_however_that_ends(self, server: EmbeddedMongod) -> None:
        folder = server.log.parent
        with owner_of(folder) as owner:
            assert owner.stdout is not None
            pid = int(await asyncio.to_thread(owner.stdout.readline))
            owner.kill()
        pidfd = os.pidfd_open(pid) if is_alive(pid) else None
        if pidfd is not None:
            ended = asyncio.Event()
            asyncio.get_running_loop().add_reader(pidfd, ended.set)
            await asyncio.wait_for(ended.wait(), 10)
            asyncio.get_running_loop().remove_reader(pidfd)
            os.close(pidfd)

        assert await count(await server.start()) == 0

    async def test_two_starts_at_once_make_one_server(self, server: EmbeddedMongod) -> None:
        twin = EmbeddedMongod(server.log.parent)

        uris = await asyncio.gather(server.start(), twin.start())

        assert uris[0] == uris[1]
        assert server.pid == twin.pid
        assert [await count(uri) for uri in uris] == [0, 0]
        await twin.stop()

    async def test_one_whose_owner_is_gone_is_inherited_and_ended(self, server: EmbeddedMongod) -> None:
        await server.start()
        note = PidFile(server.log.parent / "mongod.pid")
        running = note.read()
        assert running is not None
        note.write(replace(running, owner=2**22 + 1, owner_started="long ago"))

        heir = EmbeddedMongod(server.log.parent)
        await heir.start()
        assert heir.pid == running.pid
        await heir.stop()

        assert not is_alive(running.pid)

    async def test_one_that_hangs_is_ended_and_replaced(
        self, server: EmbeddedMongod, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedded, "STOP_TIMEOUT", 0.1)
        await count(await server.start(), add=True)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGSTOP)

        heir = EmbeddedMongod(server.log.parent)
        uri = await heir.start()

        assert heir.pid != server.pid
        assert await count(uri) == 1
        await heir.stop()

    async def test_a_stranger_with_the_same_process_id_is_left_alone(self, server: EmbeddedMongod) -> None:
        folder = server.log.parent
        folder.mkdir()
        me = os.getpid()
        PidFile(folder / "mongod.pid").write(
            Running(pid=me, started="another time", port=0, owner=me, owner_started=started_at(me))
        )

        await server.start()

        assert server.pid != me

    @pytest.mark.parametrize("text", ["", "{", "{}", '{"pid": 1}', "[]"])
    def test_a_note_that_cannot_be_read_is_no_note(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "mongod.pid"
        path.write_text(text)

        assert PidFile(path).read() is None


class TestFinding:
    def test_the_one_on_path_comes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "mongod").touch(mode=0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

        assert find_mongod() == tmp_path / "mongod"

    def test_without_any_it_says_what_to_do(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(mongod_binary, "WHEELS", "no-such-wheel")

        with pytest.raises(MongodNotFound, match="ALGOEXEC_MONGODB_URI"):
            find_mongod()

    def test_looking_for_it_imports_nothing_heavy(self) -> None:
        look = "import sys; from algoexec.storage.mongod_binary import find_mongod; find_mongod(); print(*sys.modules)"

        loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False).stdout

        assert not {"fiftyone", "pymongo", "beanie"} & set(loaded.split())
