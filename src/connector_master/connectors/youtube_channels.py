"""YouTube channels: what one grant reaches, and that it is still the channel that was chosen."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from connector_master.connectors.identity import sent_id
from connector_master.connectors.oauth import Account, Grant
from connector_master.connectors.youtube_api import Api
from connector_master.connectors.youtube_settings import Settings
from connector_master.model.json import Json, as_object
from connector_master.model.problem import CredentialsRefused
from connector_master.model.words import Words
from connector_master.outbound.client import Client

_REMEMBERED_SECONDS = 86_400
_OTHER_ACCOUNT = (
    "Connect again, and pick in Google's dialog the channel itself (the brand account), not the person's account."
)


async def accounts(client: Client, grant: Grant, settings: Settings) -> Sequence[Account]:
    """Return the channel of the account that agreed, none where it has none. Raises what a refusal means."""
    rows = await Api(client, grant).own_channels()
    return [account for row in rows if (account := _account(row)) is not None]


async def channels(client: Client, grant: Grant, settings: Settings) -> Sequence[Account]:
    """Return the channels whose comments are read. What the grant reaches is asked once for each of its tokens.

    Raises as `read_from` does, and what a refusal means.
    """
    token = sha256(grant.access_token.encode()).hexdigest()[:16]
    reached: Sequence[Account] = await grant.memory.get(
        f"youtube/channels/{token}", lambda: accounts(client, grant, settings), seconds=_REMEMBERED_SECONDS
    )
    return read_from(grant, reached)


def read_from(grant: Grant, reached: Sequence[Account]) -> Sequence[Account]:
    """Return the chosen channels, else those that the grant reaches; raises CredentialsRefused where it reaches others."""
    if not reached:
        raise CredentialsRefused("The Google account that agreed has no YouTube channel.", remedy=_OTHER_ACCOUNT)
    known = {one.id for one in reached}
    if any(one.id not in known for one in grant.accounts):
        raise CredentialsRefused(
            "The Google account that agreed has another YouTube channel than the one that was chosen.",
            remedy=Words("%(what)s Or choose its channel on the connector's page.", what=Words(_OTHER_ACCOUNT)),
        )
    return grant.accounts or reached


def _account(channel: Mapping[str, Json]) -> Account | None:
    id_ = sent_id(channel.get("id"))
    if id_ is None:
        return None
    snippet, statistics = as_object(channel.get("snippet")), as_object(channel.get("statistics"))
    title = snippet.get("title")
    return Account(
        id=id_,
        name=title.strip() if isinstance(title, str) and title.strip() else id_,
        kind="channel",
        details={
            "handle": sent_id(snippet.get("customUrl")),
            "url": f"https://www.youtube.com/channel/{id_}",
            # YouTube rounds it, and some channels hide it.
            "subscribers": None
            if statistics.get("hiddenSubscriberCount") is True
            else _count(statistics, "subscriber"),
            "videos": _count(statistics, "video"),
        },
    )


def _count(statistics: Mapping[str, Json], of: str) -> int | None:
    text = sent_id(statistics.get(f"{of}Count"))
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
