"""Renunciations: a provider says that a person took the app away, or wants what came of their agreement deleted.

Nobody signs in for it: the request names the person, and counts for those connections whose app's secret signed it.
"""

import secrets as random
from collections.abc import Mapping
from dataclasses import replace

from connector_master.connectors import registry
from connector_master.model.problem import AuthorizationNeeded, NotFound, Permanent
from connector_master.services.hub import Hub
from connector_master.services.losses import lose
from connector_master.services.sources import installed_app
from connector_master.services.stored_grants import app_of, tokens_in
from connector_master.storage import accounts, activity, connections, connectors
from connector_master.storage.connectors import ConnectorRow


class UnsignedRequest(Permanent):
    """A request in a person's name that no app of ours has signed."""

    code = "unsigned_request"
    title = "Request not signed"
    status = 400
    remedy = "Nothing to do: only the provider can make such a request."


async def leave(hub: Hub, type_: str, form: Mapping[str, str]) -> None:
    """Take the person's connections for lost: the provider has ended their tokens. Raises NotFound, UnsignedRequest."""
    for row, token in await _of_person(hub, type_, form):
        why = AuthorizationNeeded("The person who had connected it took the app away at the provider.")
        await lose(hub, row, why, stale=token)


async def forget(hub: Hub, type_: str, form: Mapping[str, str]) -> str:
    """Forget what the person's agreement gave, tokens and accounts; return the code under which the log knows it.

    Leads stay: they are other people's. Raises NotFound, UnsignedRequest.
    """
    code = random.token_hex(8)
    for row, _ in await _of_person(hub, type_, form):
        async with hub.engine.begin() as connection:
            held = await connectors.get_locked(connection, row.workspace_id, row.id)
            await connections.forget(connection, row.workspace_id, row.id)
            await accounts.forget(connection, row.workspace_id, row.id)
            if held is not None and held.status != "paused":
                await connectors.update(connection, replace(held, status="needs_authorization"))
            await activity.write(
                connection,
                row.workspace_id,
                kind="connection_forgotten",
                level="error",
                message=f"{row.name} is no longer connected: the person who had connected it asked the provider that what "
                "came of it is deleted. Connect again as somebody else.",
                connector_id=row.id,
                data={"confirmationCode": code},
            )
        hub.memory(row.id).forget()
        hub.sources.forget(row.webhook_id)
    return code


async def _of_person(hub: Hub, type_: str, form: Mapping[str, str]) -> list[tuple[ConnectorRow, str]]:
    """Return the connectors of the person whom a request names, each with the access token of their connection."""
    connector = registry().get(type_)
    if connector is None or connector.oauth is None or connector.oauth.renounced is None:
        raise NotFound("No provider of this type makes such requests.")
    renounced = connector.oauth.renounced
    person = renounced.person_in(form)
    if person is None:
        raise UnsignedRequest("The request names nobody.")
    found: list[tuple[ConnectorRow, str]] = []
    async with hub.engine.connect() as connection:
        for workspace, id_ in await connections.of_person(connection, type_, person):
            row = await connectors.get(connection, workspace, id_)
            known = await connections.get(connection, workspace, id_)
            if row is None or known is None:
                continue
            app = await app_of(connection, hub, row, connector)
            if app is not None and renounced.is_signed(form, app.secret):
                found.append((row, tokens_in(hub, row, known)["access_token"]))
    # The installation's own app may sign for somebody of whom there is nothing, or nothing any more.
    installed = installed_app(connector, (), hub.apps).get(connector.oauth.app[1])
    if not found and not (installed is not None and renounced.is_signed(form, installed)):
        raise UnsignedRequest("No app that is known here has signed the request.")
    return found
