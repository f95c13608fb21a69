"""The YouTube Data API: the calls that are made, each one unit of the day's quota, on behalf of one grant."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from connector_master.connectors.oauth import Grant
from connector_master.connectors.youtube_errors import Gone, NotProcessed, problem_in
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import Problem, ProviderLimited, ProviderUnavailable, TokenRefused
from connector_master.outbound.client import Client

BASE = "https://www.googleapis.com"

_PATH = "/youtube/v3"
_PLAIN = {"textFormat": "plainText"}
_THREADS_ON_A_PAGE = 100
_SUBSCRIBERS_ON_A_PAGE = 50
_MOST_IDS = 50
_MOST_PAGES = 10_000
_TRIES = 3
_TITLES_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Api:
    """Calls with one grant. All raise what a refusal means (connectors/youtube_errors.py)."""

    client: Client
    grant: Grant

    async def own_channels(self) -> list[dict[str, Json]]:
        """Return the channel of the account that agreed, none where it has none."""
        asked = {"part": "snippet,contentDetails,statistics", "mine": "true"}
        return _items(await self._get("channels", asked))

    async def threads(self, channel_id: str, *, is_held: bool = False) -> AsyncIterator[list[dict[str, Json]]]:
        """Yield the threads of a channel page by page, the newest first; those that are held for review where asked for."""
        asked = {
            "part": "snippet,replies",
            "allThreadsRelatedToChannelId": channel_id,
            "order": "time",
            "maxResults": str(_THREADS_ON_A_PAGE),
            **_PLAIN,
        }
        if is_held:
            asked["moderationStatus"] = "heldForReview"
        async for page in self._pages("commentThreads", asked):
            yield page

    async def replies(self, thread_id: str) -> list[dict[str, Json]]:
        """Return all replies to a thread, none once it is gone."""
        asked = {"part": "snippet", "parentId": thread_id, "maxResults": str(_THREADS_ON_A_PAGE), **_PLAIN}
        found: list[dict[str, Json]] = []
        try:
            async for page in self._pages("comments", asked):
                found += page
        except Gone:
            return []
        return found

    async def comments(self, ids: Sequence[str]) -> list[dict[str, Json]]:
        """Return those of these comments that are still there."""
        found: list[dict[str, Json]] = []
        for first in range(0, len(ids), _MOST_IDS):
            found += await self._comments(ids[first : first + _MOST_IDS])
        return found

    async def videos_of(self, thread_ids: Sequence[str]) -> dict[str, str]:
        """Return, by the id of its thread, the video below which each was written."""
        found: dict[str, str] = {}
        for first in range(0, len(thread_ids), _MOST_IDS):
            asked = {"part": "snippet", "id": ",".join(thread_ids[first : first + _MOST_IDS]), **_PLAIN}
            for thread in _items(await self._get("commentThreads", asked)):
                id_, video = thread.get("id"), as_object(thread.get("snippet")).get("videoId")
                if isinstance(id_, str) and isinstance(video, str):
                    found[id_] = video
        return found

    async def subscribers(self) -> AsyncIterator[list[dict[str, Json]]]:
        """Yield who has subscribed and made that public, page by page, the newest first."""
        asked = {
            "part": "snippet,subscriberSnippet",
            "myRecentSubscribers": "true",
            "maxResults": str(_SUBSCRIBERS_ON_A_PAGE),
        }
        async for page in self._pages("subscriptions", asked):
            yield page

    async def titles(self, video_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the titles of videos that are known, which are asked for once a day; a lead counts without them."""
        known: dict[str, str] = await self.grant.memory.get("youtube/titles", _nothing_yet, seconds=_TITLES_SECONDS)
        unknown = sorted(set(video_ids) - known.keys())
        try:
            for first in range(0, len(unknown), _MOST_IDS):
                some = unknown[first : first + _MOST_IDS]
                rows = _items(await self._get("videos", {"part": "snippet", "id": ",".join(some)}))
                known.update(dict.fromkeys(some, ""))
                known.update({str(row.get("id")): _title(row) for row in rows})
        except (TokenRefused, ProviderLimited):
            raise
        except Problem:
            return known
        return known

    async def _comments(self, ids: Sequence[str]) -> list[dict[str, Json]]:
        if not ids:
            return []
        try:
            # What is asked for by ids comes at once, and takes no length of a page.
            return _items(await self._get("comments", {"part": "snippet", "id": ",".join(ids), **_PLAIN}))
        except Gone:
            # One that is gone may refuse all that were asked for along with it.
            if len(ids) == 1:
                return []
            middle = len(ids) // 2
            return [*await self._comments(ids[:middle]), *await self._comments(ids[middle:])]

    async def _pages(self, name: str, asked: Mapping[str, str]) -> AsyncIterator[list[dict[str, Json]]]:
        """Yield the pages of a list. It ends where there is no token, an empty page, or a token that was used before."""
        token: str | None = None
        used: set[str] = set()
        for _ in range(_MOST_PAGES):
            body = await self._get(name, {**asked, "pageToken": token} if token else asked)
            items = _items(body)
            if not items:
                return
            yield items
            following = body.get("nextPageToken")
            token = following if isinstance(following, str) else None
            if not token or token in used:
                return
            used.add(token)
        raise ProviderUnavailable(f"YouTube's list of {name} does not end.")

    async def _get(self, name: str, asked: Mapping[str, str]) -> dict[str, Json]:
        headers = {"Authorization": f"Bearer {self.grant.access_token}"}
        secret = self.grant.app.secret if self.grant.app else None
        for attempt in range(_TRIES):
            answer = await self.client.get(f"{_PATH}/{name}", asked, headers=headers)
            problem = problem_in(answer, self.grant.access_token, secret)
            if problem is None:
                body = answer.json()
                if not isinstance(body, dict) or not isinstance(body.get("kind"), str):
                    raise ProviderUnavailable(f"YouTube sent no list of {name} (HTTP {answer.status}).")
                return body
            if not isinstance(problem, NotProcessed) or attempt == _TRIES - 1:
                raise problem
        raise AssertionError("unreachable")


def _items(body: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return what an answer lists; an account without a channel has no list at all."""
    items = body.get("items", [])
    if not isinstance(items, list):
        raise ProviderUnavailable("YouTube sent something else than a list.")
    return [one for one in as_list(items) if isinstance(one, dict)]


def _title(video: Mapping[str, Json]) -> str:
    title = as_object(video.get("snippet")).get("title")
    return title.strip() if isinstance(title, str) else ""


async def _nothing_yet() -> dict[str, str]:
    return {}
