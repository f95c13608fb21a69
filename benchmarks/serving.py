"""Serving: one uvicorn process on a free port, which it prints as its first line, until SIGTERM."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn


def serve(app: Callable[..., Any]) -> int:
    """Serve `app` as fast as uvicorn goes: uvloop, httptools, no access log. Returns when the server was stopped."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning", ws="none")
    server = uvicorn.Server(config)
    loop = config.get_loop_factory()
    assert loop is not None
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(server.serve(sockets=[listener]))
    return 0
