"""Accounts: the pages, customers and channels that a connector takes leads of (tokens of theirs sealed by whoever calls)."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One chosen account. `subscribed_at` is when the provider last said that it pushes it; else a problem says why not."""

    account_id: str
    kind: str
    name: str
    sealed: bytes | None = field(default=None, repr=False)
    details: Mapping[str, Any] = field(default_factory=dict)
    subscribed_at: datetime | None = None
    problem_code: str | None = None
    problem_detail: str | None = None


_OF = text("""
    SELECT account_id, kind, name, sealed, details, subscribed_at, problem_code, problem_detail FROM connector_accounts
     WHERE workspace_id = :workspace AND connector_id = :connector ORDER BY chosen_at, account_id
""")


async def of_connector(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> list[AccountRow]:
    """Return the chosen accounts of a connector, the first chosen one first."""
    rows = await connection.execute(_OF, {"workspace": workspace, "connector": connector_id})
    return [AccountRow(**row._mapping) for row in rows]


_OWNERS = text("""
    SELECT a.account_id, c.webhook_id FROM connector_accounts a
      JOIN connectors c ON c.workspace_id = a.workspace_id AND c.id = a.connector_id
     WHERE c.workspace_id = :workspace AND c.type = :type AND c.deleted_at IS NULL AND c.webhook_id IS NOT NULL
     ORDER BY a.chosen_at, c.id
""")


async def owners(connection: AsyncConnection, workspace: UUID, type_: str) -> list[tuple[str, str]]:
    """Return each chosen account with the webhook id of a connector of this type that has it, the first to choose first."""
    rows = await connection.execute(_OWNERS, {"workspace": workspace, "type": type_})
    return [(row.account_id, row.webhook_id) for row in rows]


_PUT = text("""
    INSERT INTO connector_accounts AS known (workspace_id, connector_id, account_id, kind, name, sealed, details)
    SELECT :workspace, :connector, new.id, new.kind, new.name, decode(new.sealed, 'base64'), new.details
      FROM json_to_recordset(CAST(:accounts AS json)) AS new (id text, kind text, name text, sealed text, details jsonb)
    ON CONFLICT (workspace_id, connector_id, account_id)
       DO UPDATE SET kind = excluded.kind, name = excluded.name, details = excluded.details,
                     sealed = coalesce(excluded.sealed, known.sealed)
""")
_KEEP_ONLY = text("""
    DELETE FROM connector_accounts
     WHERE workspace_id = :workspace AND connector_id = :connector AND NOT account_id = ANY(CAST(:ids AS text[]))
""")


async def choose(
    connection: AsyncConnection, workspace: UUID, connector_id: UUID, accounts: Sequence[AccountRow]
) -> None:
    """Let exactly these be the connector's accounts; those it had keep when they were chosen and subscribed."""
    values = {"workspace": workspace, "connector": connector_id}
    await connection.execute(_KEEP_ONLY, values | {"ids": [one.account_id for one in accounts]})
    await put(connection, workspace, connector_id, accounts)


async def put(connection: AsyncConnection, workspace: UUID, connector_id: UUID, accounts: Sequence[AccountRow]) -> None:
    """Write what is known of these accounts: name, details and own token; a missing token leaves the one it had."""
    rows = [
        {
            "id": one.account_id,
            "kind": one.kind,
            "name": one.name,
            "sealed": None if one.sealed is None else b64encode(one.sealed).decode(),
            "details": dict(one.details),
        }
        for one in accounts
    ]
    if rows:
        values = {"workspace": workspace, "connector": connector_id, "accounts": orjson.dumps(rows).decode()}
        await connection.execute(_PUT, values)


_NOTE_SUBSCRIPTION = text("""
    UPDATE connector_accounts
       SET subscribed_at = CASE WHEN CAST(:code AS text) IS NULL THEN now() ELSE NULL END,
           problem_code = :code, problem_detail = :detail
     WHERE workspace_id = :workspace AND connector_id = :connector AND account_id = :account
       AND NOT (:is_passing AND subscribed_at IS NOT NULL)
""")


async def note_subscription(
    connection: AsyncConnection,
    workspace: UUID,
    connector_id: UUID,
    account_id: str,
    *,
    code: str | None = None,
    detail: str | None = None,
    is_passing: bool = False,
) -> None:
    """Note that the provider pushes an account's leads, or with `code` why it does not.

    What `is_passing` says nothing against what is known already.
    """
    values = {
        "workspace": workspace,
        "connector": connector_id,
        "account": account_id,
        "code": code,
        "detail": detail,
        "is_passing": is_passing,
    }
    await connection.execute(_NOTE_SUBSCRIPTION, values)


_OTHERS = text("""
    SELECT EXISTS (SELECT 1 FROM connector_accounts a
                     JOIN connectors c ON c.workspace_id = a.workspace_id AND c.id = a.connector_id
                    WHERE a.account_id = :account AND c.type = :type AND c.deleted_at IS NULL AND a.connector_id <> :connector)
""")


async def is_chosen_elsewhere(connection: AsyncConnection, type_: str, account_id: str, connector_id: UUID) -> bool:
    """Return whether another connector, of whatever workspace, has this account: who leaves must not silence it."""
    values = {"type": type_, "account": account_id, "connector": connector_id}
    found: bool = (await connection.execute(_OTHERS, values)).scalar_one()
    return found


_FORGET = text("DELETE FROM connector_accounts WHERE workspace_id = :workspace AND connector_id = :connector")


async def forget(connection: AsyncConnection, workspace: UUID, connector_id: UUID) -> None:
    """Forget every account of a connector."""
    await connection.execute(_FORGET, {"workspace": workspace, "connector": connector_id})
