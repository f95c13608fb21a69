"""Pulling YouTube: comments and replies, the newest first, until what was read before; subscribers where they are wanted.

YouTube knows no "since": lists are read from their beginning, and what came before the window is left out. Late replies and
edits don't bring a thread to the top again, so a deep run walks further back.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from connector_master.connectors.connector import Check
from connector_master.connectors.identity import sent_id
from connector_master.connectors.oauth import Grant
from connector_master.connectors.pulling import Limits, Page, Window
from connector_master.connectors.youtube_api import Api
from connector_master.connectors.youtube_channels import accounts, channels, read_from
from connector_master.connectors.youtube_comment import (
    Comment,
    comment_record,
    is_comment_id,
    moment,
    read_comment,
    subscriber_record,
    unread,
)
from connector_master.connectors.youtube_errors import Gone, PageTokenRefused, SubscribersWithheld, Withheld
from connector_master.connectors.youtube_settings import Settings
from connector_master.connectors.youtube_state import HELD, SUBSCRIBERS, State
from connector_master.model.event import Record
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.words import Words, sentences
from connector_master.outbound.client import Client

RAW_DAYS = 30
"""How long YouTube's policies (III.E.4) let anybody keep what was read, unless it is read again."""

_EVER = timedelta(days=3_650)

# A window in pieces would be one walk through the same list for each.
LIMITS = Limits(
    window=_EVER,
    history=_EVER,
    first=timedelta(days=30),
    overlap=timedelta(hours=48),
    page_size=100,
    calls_per_day=10_000,
    day_zone=ZoneInfo("America/Los_Angeles"),
)

_DEEP = timedelta(days=30)
_DEEP_PAGES = 20
_RESTARTS = 2

T = TypeVar("T")


async def pull(client: Client, grant: Grant, settings: Settings, window: Window) -> AsyncIterator[Page]:
    """Yield what was written in the window, the newest first; of a deep one, what YouTube shows of the last 30 days.

    Nothing counts as read before the last page, for the oldest comes last. Raises what a refusal means.
    """
    walk = _Walk(Api(client, grant), settings, window)
    for channel in await channels(client, grant, settings):
        async for records in walk.comments(channel.id):
            yield walk.page(records)
        async for records in walk.held_comments(channel.id):
            yield walk.page(records)
    if settings.subscribers:
        async for records in walk.subscribers():
            yield walk.page(records)
    yield Page([], window.end, walk.state.as_json())


async def recheck(client: Client, grant: Grant, settings: Settings, ids: Sequence[str]) -> Sequence[Record]:
    """Return stored comments as they are now; those that YouTube has no longer are erased. Raises as `pull` does.

    Subscriptions can't be asked for one by one: a deep run reads them again.
    """
    api = Api(client, grant)
    wanted = [one for one in ids if is_comment_id(one)]
    own = grant.accounts[0].id if len(grant.accounts) == 1 else None
    read = [read_comment(one, settings, channel_id=own) for one in await api.comments(wanted)]
    found = {one.id: one for one in read if one is not None}
    # What was edited may be a lead now. Read by its id, a reply may not say below which video it was written.
    leads = [one for one in found.values() if one.is_edited and one.contacts.phones]
    videos = await api.videos_of([one.thread_id for one in leads if one.video_id is None])
    leads = [replace(one, video_id=one.video_id or videos.get(one.thread_id)) for one in leads]
    found |= {one.id: one for one in leads}
    titles = await _titles(api, leads)
    return [
        comment_record(found[id_], settings, titles) if id_ in found else Record({}, id_, is_erased=True)
        for id_ in wanted
    ]


async def test(client: Client, grant: Grant, settings: Settings) -> Check:
    """Ask for the channel and for its comments, and say what is not shown. Raises as `pull` does."""
    api = Api(client, grant)
    asked = read_from(grant, await accounts(client, grant, settings))
    has_comments = False
    withheld: list[str] = []
    for channel in asked:
        has_comments = bool(await _first(api.threads(channel.id))) or has_comments
        try:
            await _first(api.threads(channel.id, is_held=True))
        except Withheld:
            withheld.append(Words("comments that are held for review"))
    if settings.subscribers:
        try:
            await _first(api.subscribers())
        except SubscribersWithheld:
            withheld.append(Words("who has subscribed"))
    names = [one.name for one in asked]
    message = (
        Words("YouTube answered for %(channels)s; there are comments.", channels=", ".join(names))
        if has_comments
        else Words("YouTube answered for %(channels)s; there is no comment yet.", channels=", ".join(names))
    )
    if withheld:
        message = sentences(message, Words("It does not show %(what)s.", what=withheld))
    return Check(True, message, {"channels": [*names], "hasComments": has_comments, "withheld": [*withheld]})


class _Walk:
    """One run: what it is after, and what it remembers."""

    def __init__(self, api: Api, settings: Settings, window: Window) -> None:
        self.state = State(window.state)
        self._api = api
        self._settings = settings
        self._window = window
        self._since = min(window.start, window.end - _DEEP) if window.is_deep else window.start

    def page(self, records: Sequence[Record]) -> Page:
        """Return a page that is not the last one."""
        return Page(records, self._window.start, self.state.as_json() if self.state.is_changed else None)

    async def comments(self, channel_id: str, *, is_held: bool = False) -> AsyncIterator[list[Record]]:
        """Yield a channel's comments with their replies: the published ones, or those that are held for review."""
        try:
            async for threads in self._threads(channel_id, is_held=is_held):
                read: list[Comment] = []
                others: list[Record] = []
                for thread in threads:
                    for sent in await self._sent_in(thread, is_held=is_held):
                        one = read_comment(sent, self._settings, channel_id=channel_id, video_id=_video_of(thread))
                        if one is None:
                            others.append(unread(sent))
                        elif self._is_within(one.published_at, one.latest_at):
                            read.append(one)
                titles = await _titles(self._api, read)
                yield [*(comment_record(one, self._settings, titles) for one in read), *others]
        except Gone:
            return

    async def held_comments(self, channel_id: str) -> AsyncIterator[list[Record]]:
        """Yield the comments that are held for review, as those with a number often are; none where they are withheld."""
        if self.state.is_withheld(HELD) and not self._window.is_deep:
            return
        is_withheld = False
        try:
            async for records in self.comments(channel_id, is_held=True):
                yield records
        except Withheld:
            is_withheld = True
        self.state.note_withheld(HELD, is_withheld=is_withheld)

    async def subscribers(self) -> AsyncIterator[list[Record]]:
        """Yield who has subscribed; none where that is withheld."""
        if self.state.is_withheld(SUBSCRIBERS) and not self._window.is_deep:
            return
        is_withheld = False
        try:
            async for rows in _restarted(self._api.subscribers):
                times = [moment(as_object(row.get("snippet")).get("publishedAt")) for row in rows]
                yield [subscriber_record(row) for row, at in zip(rows, times, strict=True) if self._is_within(at, at)]
                if all(at is not None and at < self._since for at in times):
                    break
        except SubscribersWithheld:
            is_withheld = True
        self.state.note_withheld(SUBSCRIBERS, is_withheld=is_withheld)

    async def _threads(self, channel_id: str, *, is_held: bool) -> AsyncIterator[list[dict[str, Json]]]:
        """Yield pages of threads until one on which all are older than what is read; their order is not strict."""
        number = 0
        async for threads in _restarted(lambda: self._api.threads(channel_id, is_held=is_held)):
            yield threads
            number += 1
            since = self._window.start if number >= _DEEP_PAGES else self._since
            if all(_is_before(since, thread) for thread in threads):
                return

    async def _sent_in(self, thread: Mapping[str, Json], *, is_held: bool) -> list[dict[str, Json]]:
        """Return a thread's comments as they were sent. Replies that its page does not hold are asked for once they changed."""
        top = as_object(as_object(thread.get("snippet")).get("topLevelComment"))
        replies = [as_object(one) for one in as_list(as_object(thread.get("replies")).get("comments"))]
        id_, count = thread.get("id"), as_object(thread.get("snippet")).get("totalReplyCount")
        if is_held or not isinstance(id_, str) or not isinstance(count, int) or count <= len(replies):
            return [top, *replies]
        newest = max((_published(one) for one in replies), default="")
        is_known = self.state.has_replies_read(id_, count, newest)
        if is_known or (_is_before(self._since, thread) and not self.state.knows(id_)):
            return [top, *replies]
        found = {str(one.get("id")): one for one in [*replies, *await self._api.replies(id_)]}
        self.state.note_replies(id_, count, newest)
        return [top, *found.values()]

    def _is_within(self, published_at: datetime | None, latest_at: datetime | None) -> bool:
        """Return whether something was written, or changed, in the window: what can't be told is better read twice."""
        if published_at is None or latest_at is None:
            return True
        return published_at <= self._window.end and latest_at >= self._since


def _is_before(since: datetime, thread: Mapping[str, Json]) -> bool:
    at = moment(_published(as_object(as_object(thread.get("snippet")).get("topLevelComment"))))
    return at is not None and at < since


def _published(comment: Mapping[str, Json]) -> str:
    at = as_object(comment.get("snippet")).get("publishedAt")
    return at if isinstance(at, str) else ""


def _video_of(thread: Mapping[str, Json]) -> str | None:
    return sent_id(as_object(thread.get("snippet")).get("videoId"))


async def _titles(api: Api, comments: Iterable[Comment]) -> Mapping[str, str]:
    """Return titles of videos, by their ids: at least of those below which somebody left a number."""
    return await api.titles(
        [one.video_id for one in comments if one.video_id and one.contacts.phones and not one.is_own]
    )


async def _first(pages: AsyncIterator[list[dict[str, Json]]]) -> list[dict[str, Json]]:
    return await anext(pages, [])


async def _restarted(pages: Callable[[], AsyncIterator[T]]) -> AsyncIterator[T]:
    """Yield pages, from the first one again where YouTube does not know the next any more: events know their twins."""
    for attempt in range(_RESTARTS + 1):
        try:
            async for page in pages():
                yield page
            return
        except PageTokenRefused:
            if attempt == _RESTARTS:
                raise
