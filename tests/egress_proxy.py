"""A forward proxy on loopback that goes out from an address of its own, as a user's static IP would be."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Passed:
    """A request that went through. Names of headers are in small letters."""

    method: str
    path: str
    headers: dict[str, str]


class ForwardProxy:
    """Passes plain HTTP on, one request a connection. `async with` it; `fall` and `rise` end and begin its service."""

    def __init__(self, *, leaves_from: str = "127.0.0.2") -> None:
        """Connect onwards from the loopback address `leaves_from`."""
        self.leaves_from = leaves_from
        self.passed: list[Passed] = []
        self.place = ""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Its address, with a password."""
        return f"http://ann:hidden-word@{self.place}"

    async def __aenter__(self) -> "ForwardProxy":
        """Listen on a free port."""
        await self.rise()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End everything."""
        await self.fall()

    async def rise(self) -> None:
        """Listen; after the first time at the same place as before."""
        port = int(self.place.rpartition(":")[2]) if self.place else 0
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.place = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def fall(self) -> None:
        """Be gone: who connects is refused, and what is under way is cut."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._pass_on(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if task.cancelling() else writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, url, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        onwards = {name: value for name, value in headers.items() if not name.startswith("proxy-")}
        onwards["connection"] = "close"
        told = "".join(f"{name}: {value}\r\n" for name, value in onwards.items())
        there, here = await asyncio.open_connection(parts.hostname, parts.port, local_addr=(self.leaves_from, 0))
        self.passed.append(Passed(method, parts.path, headers))
        try:
            here.write(f"{method} {path} HTTP/1.1\r\n{told}\r\n".encode("latin-1") + body)
            while chunk := await there.read(65_536):
                writer.write(chunk)
                await writer.drain()
        finally:
            here.close()
