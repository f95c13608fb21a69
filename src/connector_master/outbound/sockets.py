"""Sockets: connecting to a name that was resolved once, whose addresses were all checked, and to nothing else.

Between a check and a second look-up a name could change where it leads to; there is no second look-up. Host header and
TLS name stay the name's.
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from typing import Any, Never

import httpcore2

from connector_master.model.problem import AddressRefused
from connector_master.outbound.addresses import Network, refused

_SECONDS = 10.0
_ADDRESSES_AT_MOST = 8

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections for httpcore2. Without `guards` any address will do: an operator chose it, not a user."""

    def __init__(self, *, guards: bool, allow: Sequence[Network] = ()) -> None:
        self._guards = guards
        self._allow = tuple(allow)
        self._plain = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2 asks for it
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Return a connection to one of the addresses of `host`.

        Raises AddressRefused when any of them may not be called, before a single one is.
        """
        left = _SECONDS if timeout is None else timeout
        started = asyncio.get_running_loop().time()
        addresses = await self.addresses_of(host, port, left)
        problem: Exception | None = None
        tried = addresses[:_ADDRESSES_AT_MOST]
        for position, address in enumerate(tried):
            # A dead address (IPv6 without a way out) must leave time for the next one.
            remaining = left - (asyncio.get_running_loop().time() - started)
            share = max(0.1, remaining / (len(tried) - position))
            try:
                return await self._plain.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                problem = error
        raise problem or httpcore2.ConnectError("the name has no address")

    async def addresses_of(self, host: str, port: int, seconds: float = _SECONDS) -> list[str]:
        """Return every address of `host`. Raises AddressRefused, and httpcore2's errors where it has none."""
        addresses = await _resolve(host, port, seconds)
        if self._guards and refused(addresses, self._allow):
            raise AddressRefused("This address leads into a private, local or reserved network.")
        return addresses

    async def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Never:  # noqa: ASYNC109
        """Refuse: no provider lives in a file."""
        raise httpcore2.UnsupportedProtocol("no provider is called through a file")

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await asyncio.sleep(seconds)


async def _resolve(host: str, port: int, seconds: float) -> list[str]:
    """Return the addresses of `host`, each once, in the resolver's order."""
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise httpcore2.ConnectTimeout("the name was not resolved in time") from error
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError("the name is not known") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
