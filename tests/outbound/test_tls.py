"""Encrypted calls: the certificate is checked against the name that was asked for, though an address is connected to."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector_master.model.problem import ProviderUnavailable
from connector_master.outbound.http import Bounds, Outbound
from tests.outbound.servers import answer

BOUNDS = Bounds(connect_seconds=2, silence_seconds=2, total_seconds=4)


class Server:
    """An encrypted server that is `provider.example`, and the names that it was greeted with."""

    def __init__(self, folder: Path) -> None:
        self.greeted: list[str | None] = []
        self.heads: list[str] = []
        self.certificate = folder / "certificate.pem"
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, _write_certificate(self.certificate, folder / "key.pem"))
        self._context.sni_callback = self._greet

    def _greet(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        self.greeted.append(name)

    async def serve(self) -> asyncio.Server:
        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(answer(b"[1]"))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(reply, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        return server


def _write_certificate(certificate: Path, key: Path) -> Path:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "provider.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("provider.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key.write_bytes(private.private_bytes(*form))
    return key


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """The server; every name leads to it, behind an address where nobody listens."""
    made = Server(tmp_path)

    async def resolve(host: str, port: int, **_: Any) -> Any:
        addresses = ["127.0.0.9", "127.0.0.1"] if host.endswith(".example") else [host]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in addresses]

    running = await made.serve()
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    yield made
    running.close()


async def test_the_name_that_was_asked_for_is_greeted_and_checked(server: Server) -> None:
    trusting = ssl.create_default_context(cafile=str(server.certificate))
    async with Outbound(bounds=BOUNDS, tls=trusting) as outbound:
        got = await outbound.client(f"https://provider.example:{server.port}", name="toy", trusted=True).get("/")
        assert got.json() == [1]
        with pytest.raises(ProviderUnavailable, match="its certificate is not valid"):
            await outbound.client(f"https://other.example:{server.port}", name="toy", trusted=True).get("/")
    assert server.greeted[0] == "provider.example"
    assert f"host: provider.example:{server.port}" in server.heads[0].lower()


async def test_a_certificate_that_nobody_vouches_for_is_refused(server: Server) -> None:
    async with Outbound(bounds=BOUNDS) as outbound:
        with pytest.raises(ProviderUnavailable, match="its certificate is not valid"):
            await outbound.client(f"https://provider.example:{server.port}", name="toy", trusted=True).get("/")
    assert server.heads == []
