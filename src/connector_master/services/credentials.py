"""Credentials of a connector, opened: for its calls to its provider, and for nothing else."""

import hashlib

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_master.connections.sealing import KeyRing
from connector_master.connectors.connector import Connector
from connector_master.connectors.forms import Form
from connector_master.connectors.oauth import has_tokens
from connector_master.connectors.pulling import Limits
from connector_master.ingest.pacing import Paced
from connector_master.model.problem import Conflict
from connector_master.services.hub import Hub
from connector_master.services.sources import credential_place, installed_app
from connector_master.storage import connections, connectors
from connector_master.storage.connectors import ConnectorRow


class CredentialsMissing(Conflict):
    """Credentials that the provider's calls need are not entered yet."""

    code = "credentials_missing"
    title = "Credentials missing"
    remedy = "Enter the credentials named here on the connector, then try again."


async def open_credentials(connection: AsyncConnection, keys: KeyRing, row: ConnectorRow, connector: Connector) -> Form:
    """Return the connector's credentials as its form. Raises CredentialsMissing naming those that are not set."""
    given: dict[str, str] = {}
    for one in await connectors.credentials(connection, row.workspace_id, row.id):
        given[one.name] = keys.open(one.sealed, credential_place(row.workspace_id, row.id, one.name)).decode()
    needed = connector.pull_needs if connector.pull is not None else ()
    missing = [name for name in needed if name not in given]
    try:
        form = connector.credentials.model_validate(given)
    except ValidationError as error:
        missing += [".".join(map(str, fault["loc"])) for fault in error.errors()]
        missing = list(dict.fromkeys(missing))
        raise CredentialsMissing(f"Not entered yet: {', '.join(missing)}.") from error
    if missing:
        raise CredentialsMissing(f"Not entered yet: {', '.join(missing)}.")
    return form


async def has_grant(connection: AsyncConnection, row: ConnectorRow, connector: Connector) -> bool:
    """Return whether the connector has what its provider's calls need of consent: a connection, or a token made elsewhere."""
    if connector.oauth is None:
        return True
    tokens = has_tokens(connector.credentials)
    given = {one.name for one in await connectors.credentials(connection, row.workspace_id, row.id)}
    return bool(given.intersection(tokens)) or await connections.exists(connection, row.workspace_id, row.id)


async def require_grant(connection: AsyncConnection, row: ConnectorRow, connector: Connector) -> None:
    """Raise CredentialsMissing where nobody has agreed at the provider yet."""
    if not await has_grant(connection, row, connector):
        raise CredentialsMissing(
            "Nobody has agreed at the provider yet.", remedy="Connect: open the connector and choose Connect."
        )


def limits_of(connector: Connector, credentials: Form) -> Limits:
    """Return the provider's limits for these credentials."""
    return connector.limits_for(credentials) if connector.limits_for is not None else connector.limits


def paced(hub: Hub, connector: Connector, credentials: Form) -> Paced:
    """Return the client that calls the provider at the pace that it allows whoever has these credentials."""
    key = pace_key(hub, connector, credentials)
    return Paced(hub.engine, hub.provider(connector), key, limits_of(connector, credentials))


def pace_key(hub: Hub, connector: Connector, credentials: Form) -> str | None:
    """Return what is counted together for these credentials, None where nothing is.

    Behind OAuth a provider may count by app, which is the installation's own where the credentials name none.
    """
    if connector.limit_key is None:
        return None
    given = credentials.model_dump(by_alias=True, exclude_none=True)
    whole = type(credentials).model_validate({**given, **installed_app(connector, given, hub.apps)})
    digest = hashlib.sha256(connector.limit_key(whole).encode()).hexdigest()
    return f"{connector.type}:{digest}"
