"""LinkedIn's lead notifications: having the leads of an account announced at our address, and no longer.

A subscription belongs to one address, owner and type of leads. LinkedIn asks the address for its proof before it takes one.
"""

from collections.abc import AsyncIterator
from typing import Any

from connector_master.connectors.identity import sent_id
from connector_master.connectors.linkedin_accounts import lead_types_of, owner
from connector_master.connectors.linkedin_api import Rest, rest_of
from connector_master.connectors.linkedin_errors import NotThere
from connector_master.connectors.linkedin_restli import encoded, text
from connector_master.connectors.oauth import Account, Callback, Grant
from connector_master.model.json import Json
from connector_master.model.problem import BadProviderRequest, PermissionMissing, Problem
from connector_master.outbound.client import Client

OUR_PATH = "/api/connectors/linkedin/"

_RESOURCE = "leadNotifications"


async def subscribe(client: Client, grant: Grant, settings: Any, account: Account, callback: Callback) -> None:
    """Have the account's leads of each type announced at our address, where they are not. Raises what LinkedIn's errors mean.

    One type that is refused does not keep the others from it.
    """
    rest = rest_of(client, grant, settings)
    first: Problem | None = None
    for lead_type in lead_types_of(account, settings):
        try:
            if not [one async for one in _own(rest, account, lead_type, callback.url)]:
                asked: dict[str, Json] = {"webhook": callback.url, "owner": owner(account), "leadType": lead_type}
                await rest.create(_RESOURCE, asked)
        except (BadProviderRequest, PermissionMissing) as problem:
            first = first or problem
    if first is not None:
        raise first


async def unsubscribe(client: Client, grant: Grant, settings: Any, account: Account, callback: Callback) -> None:
    """Have nothing of the account announced at our address any more. Raises what LinkedIn's errors mean."""
    rest = rest_of(client, grant, settings)
    for lead_type in lead_types_of(account, settings):
        # Read to the end first: what is deleted would shift the pages.
        for id_ in [one async for one in _own(rest, account, lead_type, callback.url)]:
            try:
                await rest.delete(f"{_RESOURCE}/{encoded(id_)}")
            except NotThere:
                continue


async def is_subscribed(rest: Rest, account: Account, lead_type: str) -> bool:
    """Return whether leads of this type are announced at some address of ours. Raises what LinkedIn's errors mean."""
    found = [text(one.get("webhook")) or "" async for one in _listed(rest, account, lead_type)]
    return any(OUR_PATH in webhook for webhook in found)


async def _own(rest: Rest, account: Account, lead_type: str, url: str) -> AsyncIterator[str]:
    async for one in _listed(rest, account, lead_type):
        if one.get("webhook") == url and (id_ := sent_id(one.get("id"))) is not None:
            yield id_


async def _listed(rest: Rest, account: Account, lead_type: str) -> AsyncIterator[dict[str, Json]]:
    asked: dict[str, Json] = {
        "q": "criteria",
        "owner": {"value": owner(account)},
        "leadType": {"leadType": lead_type},
    }
    async for listed in rest.rows(_RESOURCE, asked):
        for one in listed:
            # One for a single form leaves the owner's other forms out.
            if "versionedForm" not in one and "associatedEntity" not in one:
                yield one
