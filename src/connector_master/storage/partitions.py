"""Partitions of events, activity and attempts: one a month, made ahead, dropped when retention has passed."""

from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from connector_master.storage.ids import first_id_at

PARTITIONED = ("events", "activity", "delivery_attempts")
_MONTHS_AHEAD = 6


def make_partitions(connection: "psycopg.Connection[Any]", today: datetime | None = None) -> list[str]:
    """Make the partitions of this month and the coming six that are missing; return their names.

    A month whose rows already lie in the DEFAULT partition is left there: attaching it would lock the door out while
    the rows move, and the DEFAULT partition serves them just as well.
    """
    today = today or datetime.now(UTC)
    made = []
    for table in PARTITIONED:
        for ahead in range(_MONTHS_AHEAD + 1):
            start, end = _month(today, ahead), _month(today, ahead + 1)
            name = f"{table}_{start:%Y_%m}"
            if connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() != (None,):
                continue
            statement = sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                sql.Identifier(name),
                sql.Identifier(table),
                sql.Literal(first_id_at(start)),
                sql.Literal(first_id_at(end)),
            )
            try:
                connection.execute(statement)
            except psycopg.errors.CheckViolation:
                continue
            made.append(name)
    return made


def drop_partitions(connection: "psycopg.Connection[Any]", table: str, before: datetime) -> list[str]:
    """Drop the months of `table` that ended before `before`; return their names."""
    rows = connection.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass(%s)",
        (table,),
    ).fetchall()
    dropped = []
    for (name,) in rows:
        year, _, month = name.removeprefix(f"{table}_").partition("_")
        if not (year.isdigit() and month.isdigit()):
            continue
        if _month(datetime(int(year), int(month), 1, tzinfo=UTC), 1) <= before:
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
            dropped.append(name)
    return dropped


def _month(moment: datetime, ahead: int) -> datetime:
    months = moment.year * 12 + moment.month - 1 + ahead
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)
