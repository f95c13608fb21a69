"""connector-master send: sign a payload and send it to a connector's address, as a sender would."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from connector_master.cli.running import fail


def send(
    address: Annotated[str, typer.Argument(help="The connector's webhook URL, whole or only its path.")],
    file: Annotated[
        Path | None, typer.Argument(help="File with the payload; standard input when left out or -.")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            envvar="CONNECTOR_MASTER_SECRET",
            help="The webhook secret; without it nothing is signed. Better given by the environment than typed here.",
        ),
    ] = None,
    base: Annotated[
        str, typer.Option(help="Where the hub runs, for an address that is only a path.")
    ] = "http://127.0.0.1:8080",
    content_type: Annotated[str, typer.Option(help="What the payload is.")] = "application/json",
    idempotency_key: Annotated[str | None, typer.Option(help="The same key again is the same event.")] = None,
) -> None:
    """Sign a payload with a connector's secret, send it, and print the answer. Exit code 0 only for an answer of 200."""
    import hashlib
    import hmac

    import httpx2

    try:
        body = sys.stdin.buffer.read() if file is None or str(file) == "-" else file.read_bytes()
    except OSError as error:
        fail(f"{file} can't be read: {error.strerror}.", error)
    headers = {"Content-Type": content_type}
    if secret:
        headers["X-Webhook-Signature"] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
    url = address if "://" in address else base.rstrip("/") + "/" + address.lstrip("/")
    try:
        answer = httpx2.post(url, content=body, headers=headers, timeout=30, trust_env=False)
    except httpx2.HTTPError as error:
        fail(f"{url.split('/api/')[0]} can't be reached: {error}. Is `connector-master up` running there?", error)
    typer.echo(answer.text)
    if answer.status_code != 200:
        typer.echo(f"HTTP {answer.status_code}", err=True)
        raise typer.Exit(1)
