"""The connection to PostgreSQL: one engine a process."""

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

# One plan for all connectors would go through every event of the busy ones to find none of an idle one.
_OPTIONS = "-c timezone=UTC -c statement_timeout=30000 -c plan_cache_mode=force_custom_plan"


def create_engine(url: str, *, pool_size: int = 8) -> AsyncEngine:
    """Return an engine for `url` (postgresql+psycopg://…); connections are checked before use, so a restart heals."""
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "options": _OPTIONS},
    )


def driver_url(url: str) -> str:
    """Return `url` for SQLAlchemy with psycopg, whichever way a person wrote the scheme."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme in {"postgres", "postgresql", "postgresql+psycopg"}:
        return f"postgresql+psycopg://{rest}"
    return url


def conninfo(url: str) -> str:
    """Return `url` as libpq reads it, for connections that psycopg opens itself."""
    return driver_url(url).replace("postgresql+psycopg://", "postgresql://", 1)
