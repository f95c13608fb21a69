"""A stand-in for YouTube: what people write below a channel's videos, and who has subscribed (docs/connectors/youtube.md)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from connector_master.sandbox import youtube_refusals as refusals
from connector_master.sandbox import youtube_words as words
from connector_master.sandbox.stand_in import COMMON_FAULTS, Entry, StandIn
from connector_master.sandbox.youtube_audience import MODERATIONS, PUBLISHED, Audience, Comment, Subscriber, Thread
from connector_master.sandbox.youtube_gateway import Call, Gateway
from connector_master.sandbox.youtube_methods import CHANNELS, COMMENTS, SUBSCRIPTIONS, THREADS, VIDEOS
from connector_master.sandbox.youtube_refusals import Refusal

if TYPE_CHECKING:
    from connector_master.sandbox.world import World

_MOST_SUBSCRIBERS = 1000


class YouTube(StandIn):
    """Has two channels, of two of the people who sign in at Google's stand-in. Its tokens are those that Google issues.

    A lead is a comment. `lead` sets its `text` (else there is a wish and the `phone`), `videoId`, `moderationStatus`, who
    wrote it (`author`, `authorChannelId`, `isOwn`, `isClosed`). `replyTo` makes it a reply; `edits` and `deletes` name a
    comment that is changed or goes. `subscribes` is for a subscriber instead: of `channelId`, known by `isPrivate` to nobody.
    """

    name = "youtube"
    title = "YouTube"
    summary = "Lists comments, replies and subscribers, and counts the day's quota. Google's card asks for consent."
    path = "/youtube"
    address_settings = ("YOUTUBE_URL",)
    actions: ClassVar[Mapping[str, str]] = {
        "comment": "Comment without a phone",
        "reply": "Reply to the last comment",
        "edit": "Add a phone to the last comment",
        "delete": "Delete the last comment",
        "subscribe": "Let somebody subscribe",
        "exhaust_quota": "Use up the day's quota",
        "renew_quota": "Give the quota anew",
    }
    faults: ClassVar[Mapping[str, str]] = COMMON_FAULTS | refusals.FAULTS
    settings: ClassVar[Mapping[str, Any]] = {
        "channels": words.CHANNELS,
        "commentsDisabled": [],
        "inlineReplies": 5,
        "quotaPerDay": 10_000,
    }

    def __init__(self, world: "World") -> None:
        self.gateway = Gateway(self)
        super().__init__(world)

    def reset(self) -> None:
        """Forget everything that people have left, and what was called."""
        super().reset()
        self.gateway.renew_quota()
        self.audience = Audience(lambda: self.set["channels"])

    def state(self) -> dict[str, Any]:
        """Return what the control API shows."""
        return super().state() | {"unitsToday": self.gateway.used()}

    def add(
        self, at: datetime | None = None, *, late: timedelta = timedelta(0), fields: Mapping[str, str] | None = None
    ) -> Entry:
        """Note what a person does. Raises ValueError for what can't be done."""
        entry = super().add(at, late=late, fields=fields)
        self.audience.take(entry, self.enquiry(entry))
        return entry

    def act(self, action: str) -> str:
        """Do one of `actions`; return what to tell."""
        if action == "exhaust_quota":
            self.gateway.exhaust_quota()
            return "The quota of every project is used up until midnight Pacific time."
        if action == "renew_quota":
            self.gateway.renew_quota()
            return "The quota is as new."
        if action == "comment":
            return f"Comment {self.audience.came_of(self.add(fields={'phone': ''})).id} was written."
        if action == "subscribe":
            self.add(fields={"subscribes": "true"})
            return "Somebody has subscribed."
        last = self.audience.last()
        if last is None:
            return "There is no comment yet."
        if action == "reply":
            return f"Reply {self.audience.came_of(self.add(fields={'replyTo': last.id})).id} was written."
        self.add(fields={"edits" if action == "edit" else "deletes": last.id})
        return f"Comment {last.id} was {'changed' if action == 'edit' else 'deleted'}."

    def show(self, entry: Entry) -> dict[str, Any]:
        """Return what came of a person's doing: the comment as it now stands, the subscription, or what is gone."""
        if "deletes" in entry.fields:
            return {"kind": "youtube#comment", "id": entry.fields["deletes"]}
        left = self.audience.came_of(entry)
        if isinstance(left, Subscriber):
            return words.subscription(left, self._channel_of(left.channel))
        return words.comment(left, caller=None, is_html=False)

    def routes(self) -> list[BaseRoute]:
        """Return the part of the API that only reads."""
        return [
            Route("/youtube/v3/channels", self._list_channels),
            Route("/youtube/v3/videos", self._list_videos),
            Route("/youtube/v3/commentThreads", self._list_threads),
            Route("/youtube/v3/comments", self._list_comments),
            Route("/youtube/v3/subscriptions", self._list_subscriptions),
        ]

    # ---- the API ----------------------------------------------------------------------------------------

    async def _list_channels(self, request: Request) -> Response:
        call = await self.gateway.admitted(request, CHANNELS)
        if isinstance(call, Response):
            return call
        wanted = [self._own(call)] if call.filter == "mine" else call.ids
        rows = [one for one in self._channels() if one["id"] in wanted]

        def show(one: Mapping[str, Any]) -> Mapping[str, Any]:
            subscribers = sum(1 for other in self.audience.subscribers if other.channel == one["id"])
            return words.picked(words.channel(one, subscribers), call.parts)

        return self.gateway.list(call, rows, show, says_total=True)

    async def _list_videos(self, request: Request) -> Response:
        call = await self.gateway.admitted(request, VIDEOS)
        if isinstance(call, Response):
            return call
        rows = [
            words.picked(words.video(id_, title, channel), call.parts)
            for channel in self._channels()
            for id_, title in channel["videos"].items()
            if id_ in call.ids
        ]
        return self.gateway.list(call, rows, dict, says_total=True)

    async def _list_threads(self, request: Request) -> Response:
        call = await self.gateway.admitted(request, THREADS)
        if isinstance(call, Response):
            return call
        if refusal := _wrong_wish(call) or self._out_of_reach(call):
            return self.gateway.refuse(refusal)
        rows = [one for one in self._threads(call) if call.query.get("searchTerms", "").lower() in one.top.text.lower()]
        if call.query.get("order") == "relevance":
            rows.sort(key=_replies, reverse=True)
        if self.fault("out_of_order"):
            rows = [one for start in range(0, len(rows), 2) for one in reversed(rows[start : start + 2])]
        own, is_html, most = self._own(call), self._is_html(call), int(self.set["inlineReplies"])

        def show(one: Thread) -> Mapping[str, Any]:
            return words.thread(one, caller=own, is_html=is_html, parts=call.parts, most_replies=most)

        return self.gateway.list(call, rows, show)

    async def _list_comments(self, request: Request) -> Response:
        call = await self.gateway.admitted(request, COMMENTS)
        if isinstance(call, Response):
            return call
        if refusal := _wrong_wish(call):
            return self.gateway.refuse(refusal)
        own, is_html = self._own(call), self._is_html(call)
        known = self._comments(own)
        if call.filter == "id":
            rows = [one for one in known if one.id in call.ids]
        elif any(one.id == call.value for one in known):
            rows = [one for one in known if one.parent == call.value and one.moderation == PUBLISHED]
        else:
            return self.gateway.refuse(refusals.COMMENT_NOT_FOUND)

        def show(one: Comment) -> Mapping[str, Any]:
            return words.comment(one, caller=own, is_html=is_html, parts=call.parts)

        return self.gateway.list(call, rows, show)

    async def _list_subscriptions(self, request: Request) -> Response:
        call = await self.gateway.admitted(request, SUBSCRIPTIONS)
        if isinstance(call, Response):
            return call
        own = self._own(call)
        if own is None or self.fault("subscribers_forbidden"):
            return self.gateway.refuse(refusals.SUBSCRIPTION_FORBIDDEN)
        rows = [one for one in self.audience.subscribers if one.channel == own and one.is_public]
        if call.filter == "myRecentSubscribers":
            rows.sort(key=_subscribed_at, reverse=True)

        def show(one: Subscriber) -> Mapping[str, Any]:
            return words.picked(words.subscription(one, self._channel_of(own)), call.parts)

        return self.gateway.list(call, rows[:_MOST_SUBSCRIBERS], show, says_total=True)

    # ---- what is there ----------------------------------------------------------------------------------

    def _channels(self) -> Sequence[Mapping[str, Any]]:
        return () if self.fault("channel_gone") else self.set["channels"]

    def _channel_of(self, id_: str) -> Mapping[str, Any]:
        return next(one for one in self.set["channels"] if one["id"] == id_)

    def _own(self, call: Call) -> str | None:
        """Return the channel of the account that a person picked when agreeing, None for one without."""
        return next((one["id"] for one in self.set["channels"] if one["owner"] == call.token.person), None)

    def _comments(self, own: str | None) -> list[Comment]:
        """Return all comments that the owner of a channel may see: those held back are for the channel's owner alone."""
        now = self.world.now()
        found = [one for moderation in MODERATIONS for one in self.audience.visible(now, moderation)]
        return [one for one in found if one.moderation == PUBLISHED or one.channel == own]

    def _threads(self, call: Call) -> list[Thread]:
        found = self.audience.threads(self.world.now(), call.query.get("moderationStatus", PUBLISHED))
        if call.filter == "id":
            return [one for one in found if one.top.id in call.ids]
        if call.filter == "videoId":
            return [one for one in found if one.top.video == call.value]
        off = self.set["commentsDisabled"]
        return [one for one in found if one.top.channel == call.value and one.top.video not in off]

    def _out_of_reach(self, call: Call) -> Refusal | None:
        """Return why the caller may not see the threads, None for one who may."""
        if call.filter == "id":
            return None
        if call.filter == "videoId":
            channel = next((one for one in self._channels() if call.value in one["videos"]), None)
            if channel is None:
                return refusals.VIDEO_NOT_FOUND
            if call.value in self.set["commentsDisabled"]:
                return refusals.COMMENTS_DISABLED
        else:
            channel = next((one for one in self._channels() if one["id"] == call.value), None)
            if channel is None:
                return refusals.CHANNEL_NOT_FOUND
        is_held = call.query.get("moderationStatus", PUBLISHED) != PUBLISHED
        if is_held and (self._own(call) != channel["id"] or self.fault("held_forbidden")):
            return refusals.FORBIDDEN
        return None

    def _is_html(self, call: Call) -> bool:
        return call.query.get("textFormat", "html") == "html" or bool(self.fault("html_text"))


def _wrong_wish(call: Call) -> Refusal | None:
    """Return why something can't be shown in the way that is wished for."""
    known = {"order": ("time", "relevance"), "textFormat": ("html", "plainText"), "moderationStatus": MODERATIONS}
    for name, values in known.items():
        if name in call.query and call.query[name] not in values:
            return refusals.invalid(name, call.query[name])
    if call.filter == "id" and "moderationStatus" in call.query:
        return refusals.incompatible("id, moderationStatus")
    return None


def _replies(one: Thread) -> int:
    return len(one.replies)


def _subscribed_at(one: Subscriber) -> datetime:
    return one.at


stand_in = YouTube
