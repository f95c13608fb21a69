"""Webhook secrets and verify tokens: made, and kept sealed or hashed as the sender's way of proving itself needs."""

import base64
import hashlib
import secrets as random
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.connections.sealing import fingerprint
from connector_master.connectors.connector import Connector
from connector_master.connectors.forms import Form
from connector_master.services.hub import Hub
from connector_master.services.sources import VERIFY_TOKEN, WEBHOOK_SECRET, secret_place
from connector_master.storage import connectors
from connector_master.storage.connectors import ConnectorRow
from connector_master.storage.ids import new_id


async def add_secret(
    connection: AsyncConnection, hub: Hub, row: ConnectorRow, connector: Connector, settings: Form
) -> str:
    # The form of a Standard Webhooks secret, which serves every other scheme as plain text.
    secret = "whsec_" + base64.b64encode(random.token_bytes(32)).decode()
    id_ = new_id()
    presents = _presents_secret(connector, settings)
    await connectors.add_secret(
        connection,
        row.workspace_id,
        row.id,
        id_=id_,
        kind=WEBHOOK_SECRET,
        sealed=None if presents else hub.keys.seal(secret.encode(), secret_place(row.workspace_id, id_)),
        hash_=_hash(secret) if presents else None,
        fingerprint=fingerprint(secret),
    )
    return secret


async def fit_secret(
    connection: AsyncConnection, hub: Hub, row: ConnectorRow, connector: Connector, before: Form, after: Form
) -> str | None:
    """Keep of the secrets what the new settings need; return a new secret where the old one can't serve them."""
    if not has_secret(connector) or _presents_secret(connector, before) == _presents_secret(connector, after):
        return None
    live = [one for one in await connectors.secrets(connection, row.workspace_id, row.id) if one.kind == WEBHOOK_SECRET]
    if _presents_secret(connector, after):
        for one in live:
            if one.sealed is not None:
                text = hub.keys.open(one.sealed, secret_place(row.workspace_id, one.id)).decode()
                await connectors.keep_only_hash(connection, row.workspace_id, row.id, one.id, _hash(text))
        return None
    await connectors.end_secrets(connection, row.workspace_id, row.id, WEBHOOK_SECRET, datetime.now(UTC))
    return await add_secret(connection, hub, row, connector, after)


async def add_verify_token(connection: AsyncConnection, hub: Hub, row: ConnectorRow) -> str:
    # Typed or pasted into a provider's form: short, and nothing in it that a form could change.
    token = random.token_urlsafe(24)
    id_ = new_id()
    await connectors.add_secret(
        connection,
        row.workspace_id,
        row.id,
        id_=id_,
        kind=VERIFY_TOKEN,
        sealed=hub.keys.seal(token.encode(), secret_place(row.workspace_id, id_)),
        hash_=None,
        fingerprint=fingerprint(token),
    )
    return token


def has_secret(connector: Connector) -> bool:
    return connector.verify is not None and connector.makes_secret


def _presents_secret(connector: Connector, settings: Form) -> bool:
    return connector.presents_secret is not None and connector.presents_secret(settings)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
