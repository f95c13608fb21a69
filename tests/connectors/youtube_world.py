"""A YouTube that answers calls by a function, and what its API says, showing only what matters."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector_master.connectors.oauth import Account, App, Grant
from connector_master.connectors.youtube_settings import Credentials
from connector_master.outbound.client import Answer
from tests.connectors.scripted import answer

SAMPLES = Path(__file__).parent.parent / "samples" / "youtube"
CHANNEL = "UCSampleChannel000000000"
ERRORS: Mapping[str, Any] = {
    f"{one['http_status']} {one['body']['error']['errors'][0]['reason']}": one
    for one in json.loads((SAMPLES / "errors.json").read_bytes())
}


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_bytes())


@dataclass
class Call:
    name: str
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def is_held(self) -> bool:
        return self.query.get("moderationStatus") == "heldForReview"


@dataclass
class YouTube:
    """Answers calls by a function, its own channel and nothing else by itself, and keeps them."""

    respond: Callable[[Call], Any] = lambda call: None
    calls: list[Call] = field(default_factory=list)

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        root, _, name = path.rpartition("/")
        assert root == "/youtube/v3"
        call = Call(name, dict(query or {}), dict(headers or {}))
        self.calls.append(call)
        given = self.respond(call)
        if given is None:
            given = sample("channels_mine") if name == "channels" else listed(name)
        return given if isinstance(given, Answer) else answer(given)

    async def post(self, path: str, *_: Any, **__: Any) -> Answer:
        raise AssertionError("nothing is written at YouTube")

    async def delete(self, path: str, *_: Any, **__: Any) -> Answer:
        raise AssertionError("nothing is deleted at YouTube")

    def asked(self, name: str) -> list[Call]:
        return [call for call in self.calls if call.name == name]


def grant(*chosen: str, token: str = "ya29.secret-token") -> Grant:
    accounts = tuple(Account(id=one, name=one, kind="channel") for one in chosen)
    return Grant(credentials=Credentials(), access_token=token, app=App("id", "app-secret"), accounts=accounts)


def listed(name: str, *items: Any, next_token: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"kind": f"youtube#{name}ListResponse", "items": list(items), "pageInfo": {}}
    return body if next_token is None else body | {"nextPageToken": next_token}


def threads(*items: Any, next_token: str | None = None) -> dict[str, Any]:
    return listed("commentThread", *items, next_token=next_token)


def refused(name: str, **headers: str) -> Answer:
    """One of the sample's errors, such as `403 quotaExceeded`."""
    return answer(ERRORS[name]["body"], ERRORS[name]["http_status"], **headers)


def error(reason: str, status: int = 403, message: str = "YouTube's own words") -> Answer:
    return answer({"error": {"code": status, "message": message, "errors": [{"reason": reason}]}}, status)


def comment(id_: str, text: str, at: str, *, author: str | None = None, **snippet: Any) -> dict[str, Any]:
    said = {
        "channelId": CHANNEL,
        "textDisplay": text,
        "authorDisplayName": f"@{author or id_}",
        "authorChannelId": {"value": f"UC{author or id_}"},
        "publishedAt": at,
        "updatedAt": at,
    }
    return {"kind": "youtube#comment", "id": id_, "snippet": said | snippet}


def thread(
    id_: str, text: str, at: str, *replies: Any, count: int | None = None, video: str = "SampleVid01"
) -> dict[str, Any]:
    top = comment(id_, text, at, videoId=video)
    snippet = {"channelId": CHANNEL, "videoId": video, "topLevelComment": top}
    snippet["totalReplyCount"] = len(replies) if count is None else count
    made: dict[str, Any] = {"kind": "youtube#commentThread", "id": id_, "snippet": snippet}
    return made | {"replies": {"comments": list(replies)}} if replies else made
