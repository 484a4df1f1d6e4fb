"""A TCP proxy on loopback that a round can make slow, silent or broken; the workers' only way to the broker."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

from streams.local.ports import LOOPBACK

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with time 0: closing sends RST, as a firewall or a crashed router does."""


class Proxy:
    """Forwards every connection on ``port`` to ``target``. All methods are for its event loop.

    ``delay_s`` is added to every chunk in both directions; while ``silent`` chunks are taken in and wait; while
    ``refusing`` new connections are reset. What is forwarded is never changed, reordered or lost within a
    connection: that is TCP's promise too.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()
        self._sockets: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.delay_s = 0.0
        self.refusing = False
        self.cuts = 0
        """Connections that were reset so far."""

    async def open(self, port: int) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._connected, LOOPBACK, port)

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Reset every connection there is."""
        for writer in list(self._sockets):
            self.cuts += 1
            _reset(writer)

    async def silence(self) -> None:
        """Forward nothing until ``speak``: a network that swallows packets."""
        self._flowing.clear()

    async def speak(self) -> None:
        """Forward again, also what was held back."""
        self._flowing.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            _reset(writer)
            return
        try:
            there_reader, there_writer = await asyncio.open_connection(LOOPBACK, self._target)
        except OSError:  # the broker is down: so is whoever stands before it
            _reset(writer)
            return
        ends = (writer, there_writer)
        self._sockets.update(ends)
        pumps = [
            asyncio.ensure_future(self._pump(reader, there_writer)),
            asyncio.ensure_future(self._pump(there_reader, writer)),
        ]
        self._pipes.update(pumps)
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self._pipes.difference_update(pumps)
            self._sockets.difference_update(ends)
            for end in ends:
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(_CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self._flowing.wait()
                writer.write(chunk)
                await writer.drain()
        except OSError:
            return  # one side is gone; the caller closes the other


async def held(begin: Callable[[], Awaitable[None]], end: Callable[[], Awaitable[None]], seconds: float) -> None:
    """A condition of the network that lasts for a while, and ends whatever happens."""
    await begin()
    try:
        await asyncio.sleep(seconds)
    finally:
        await end()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.close()
