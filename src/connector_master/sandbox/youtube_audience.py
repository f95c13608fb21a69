"""What people leave on the stand-in for YouTube: comments, replies, what becomes of them later, and subscriptions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector_master.sandbox.enquiries import Enquiry, spell_phone
from connector_master.sandbox.stand_in import Entry

PUBLISHED = "published"
MODERATIONS = (PUBLISHED, "heldForReview", "likelySpam")


@dataclass(frozen=True, slots=True)
class Person:
    """Who has written or subscribed: mostly a handle. A closed account has no channel any more."""

    name: str
    channel: str | None


@dataclass(slots=True)
class Comment:
    """A comment as it stands now. `parent` is the thread of a reply, `moderation` one of MODERATIONS."""

    number: int
    id: str
    channel: str
    video: str
    text: str
    author: Person
    at: datetime
    visible_at: datetime
    changed_at: datetime
    moderation: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """A top comment with its replies, the newest first."""

    top: Comment
    replies: list[Comment] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Somebody who has subscribed to a channel. Only those who made it public are ever shown."""

    id: str
    channel: str
    person: Person
    at: datetime
    is_public: bool
    description: str


class Audience:
    """Everything that people have left on the channels that `channels` gives, and not deleted."""

    def __init__(self, channels: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        self._channels = channels
        self._comments: dict[str, Comment] = {}
        self._by_entry: dict[int, Comment | Subscriber] = {}
        self.subscribers: list[Subscriber] = []

    def take(self, entry: Entry, one: Enquiry) -> None:
        """Do what a person does. Raises ValueError for a comment, a video or a moderation that does not exist."""
        fields = entry.fields
        if "deletes" in fields:
            gone = self.comment(fields["deletes"]).id
            self._comments = {id_: one for id_, one in self._comments.items() if gone not in (id_, one.parent)}
        elif "edits" in fields:
            self._by_entry[entry.number] = self._edit(self.comment(fields["edits"]), entry, one)
        elif "subscribes" in fields:
            self._by_entry[entry.number] = self._subscribe(entry, one)
        else:
            self._by_entry[entry.number] = self._write(entry, one)

    def came_of(self, entry: Entry) -> Comment | Subscriber:
        """Return what a person has written, changed or subscribed to."""
        return self._by_entry[entry.number]

    def comment(self, id_: str) -> Comment:
        """Return a comment. Raises ValueError for one that was never written, or was deleted."""
        found = self._comments.get(id_)
        if found is None:
            raise ValueError(f"There is no comment {id_}")
        return found

    def last(self) -> Comment | None:
        """Return the top comment that was written last."""
        return next((one for one in reversed(self._comments.values()) if one.parent is None), None)

    def visible(self, now: datetime, moderation: str = PUBLISHED) -> list[Comment]:
        """Return the comments that are to be seen, the newest first; those of a second with the later one first."""
        shown = [one for one in self._comments.values() if one.visible_at <= now and one.moderation == moderation]
        return sorted(shown, key=lambda one: (one.at, one.number), reverse=True)

    def threads(self, now: datetime, moderation: str = PUBLISHED) -> list[Thread]:
        """Return the threads of which the top comment or a reply is moderated so, by the time of their top comments."""
        tops: dict[str, Comment] = {}
        replies: dict[str, list[Comment]] = {}
        for one in self.visible(now, moderation):
            if one.parent is None:
                tops[one.id] = one
            else:
                replies.setdefault(one.parent, []).append(one)
        if moderation != PUBLISHED:
            tops |= {id_: self._comments[id_] for id_ in replies if id_ not in tops}
        found = [Thread(top, replies.get(id_, [])) for id_, top in tops.items()]
        return sorted(found, key=lambda one: (one.top.at, one.top.number), reverse=True)

    def _write(self, entry: Entry, one: Enquiry) -> Comment:
        fields = entry.fields
        answered = self.comment(fields["replyTo"]) if "replyTo" in fields else None
        channel_of = {video: one for one in self._channels() for video in one["videos"]}
        video = answered.video if answered else fields.get("videoId") or next(iter(channel_of))
        if video not in channel_of:
            raise ValueError(f"There is no video {video}; known are {', '.join(channel_of)}")
        channel = channel_of[video]
        thread = answered.parent or answered.id if answered else None
        id_ = f"{thread}.9sandbox{entry.number:06d}" if thread else f"UgySandbox{entry.number:09d}4AaABAg"
        made = Comment(
            number=entry.number,
            id=fields.get("id", id_),
            channel=channel["id"],
            video=video,
            text=_text(entry, one),
            author=Person(channel["handle"], channel["id"]) if fields.get("isOwn") == "true" else _person(entry, one),
            at=entry.at,
            visible_at=entry.visible_at,
            changed_at=entry.at,
            moderation=_moderation(fields),
            parent=thread,
        )
        self._comments[made.id] = made
        return made

    def _edit(self, known: Comment, entry: Entry, one: Enquiry) -> Comment:
        fields = entry.fields
        known.moderation = _moderation(fields, known.moderation)
        # Letting a comment pass is no edit.
        if "moderationStatus" not in fields or {"text", "phone"} & fields.keys():
            known.text, known.changed_at = _text(entry, one), entry.at
        return known

    def _subscribe(self, entry: Entry, one: Enquiry) -> Subscriber:
        channel = entry.fields.get("channelId") or self._channels()[0]["id"]
        is_public = entry.fields.get("isPrivate") != "true"
        description = entry.fields.get("description", "")
        id_ = f"sandbox-subscription-{entry.number}"
        made = Subscriber(id_, channel, _person(entry, one), entry.at, is_public, description)
        self.subscribers.append(made)
        return made


def _text(entry: Entry, one: Enquiry) -> str:
    """Return what is typed: the `text` that was asked for, else a wish with the buyer's phone, if there is one."""
    if "text" in entry.fields:
        return entry.fields["text"]
    if not one.phone:
        return one.message
    if entry.number % 5 == 4:
        return f"{one.message} https://wa.me/{one.phone.removeprefix('+')}"
    return f"{one.message} Call me on {spell_phone(one.phone, entry.number % 5)}"


def _person(entry: Entry, one: Enquiry) -> Person:
    handle = f"@{'-'.join(one.name.lower().split())}-{entry.number}"
    is_closed = entry.fields.get("isClosed") == "true"
    channel = entry.fields.get("authorChannelId") or f"UCSandboxViewer{entry.number:09d}"
    return Person(entry.fields.get("author", handle), None if is_closed else channel)


def _moderation(fields: Mapping[str, str], otherwise: str = PUBLISHED) -> str:
    wanted = fields.get("moderationStatus", otherwise)
    if wanted not in MODERATIONS:
        raise ValueError(f"moderationStatus is {', '.join(MODERATIONS)}")
    return wanted
