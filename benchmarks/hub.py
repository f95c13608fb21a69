"""The hub under measurement: the product as anybody starts it, with one webhook connector made over its API."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from benchmarks.servers import ROOT, Server, environment, running


@dataclass(frozen=True, slots=True)
class Hub:
    """A running hub, and the connector that enquiries are sent to."""

    server: Server
    path: str
    secret: str


@contextmanager
def hub(data_dir: Path, database_url: str | None = None) -> Iterator[Hub]:
    """Run `up`, on its own PostgreSQL or on `database_url`, and give it a connector that requires signatures."""
    place = ["--data-dir", str(data_dir)]
    if database_url is not None:
        place += ["--database-url", database_url]
    with running("hub", ["connector_master", "up", "--port", "0", *place]) as server:
        command = ["api-key", "create", "--json", "--name", "benchmark", "--role", "admin", *place]
        made = subprocess.run(
            [sys.executable, "-m", "connector_master", *command],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            check=True,
            timeout=60,
        )
        connector = _create_connector(server, json.loads(made.stdout)["key"])
        yield Hub(server, connector["webhookUrl"], connector["webhookSecret"])


def _create_connector(server: Server, key: str) -> dict[str, str]:
    request = Request(
        f"http://{server.host}:{server.port}/api/connectors",
        data=json.dumps({"name": "Benchmark", "type": "webhook", "settings": {"signature": "required"}}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
        method="POST",
    )
    with urlopen(request, timeout=30) as answer:
        created: dict[str, str] = json.load(answer)
    return created
