"""Logs: facts, once, as structured lines; never a secret, a name, a phone number or a payload."""

import logging
import sys
from traceback import extract_tb
from typing import Any, Literal

import structlog

_LONGEST_CHAIN = 5


def _places(exc_info: structlog.typing.ExcInfo) -> str:
    """Return where an exception came from: types and lines, no message and no values, which may hold secrets."""
    chain: list[str] = []
    one: BaseException | None = exc_info[1]
    while one is not None and len(chain) < _LONGEST_CHAIN:
        lines = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in extract_tb(one.__traceback__)]
        chain.append("\n  ".join([type(one).__qualname__, *lines]))
        one = one.__cause__ or one.__context__
    return "\ncaused by ".join(chain)


def set_up_logs(style: Literal["console", "json"]) -> None:
    """Send every log line to standard error: as JSON, or readable at a console."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor
    shared.append(structlog.processors.ExceptionRenderer(_places))
    if style == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Places("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


class _Places(logging.Formatter):
    """Lines of libraries, their exceptions as ours."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 (the standard library's name)
        return _places(ei)
