"""Comments and subscribers as records: who left a phone number becomes a lead, all others are interactions."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from urllib.parse import urlencode

from connector_master.connectors.connector import MappingTarget
from connector_master.connectors.identity import digest_of, sent_id
from connector_master.connectors.youtube_contacts import Contacts, find_contacts, plain_text
from connector_master.connectors.youtube_settings import Settings
from connector_master.model.event import Record
from connector_master.model.json import Json, as_object

INTERACTION = "interaction"
"""Why an event is ignored that tells of somebody without a phone."""
OWN = "own_comment"
"""Why one is that the channel itself has written."""
COMMENT = "youtube#comment"
SUBSCRIPTION = "youtube#subscription"

MAPPING: dict[str, MappingTarget] = {
    "phone": "phoneNumber",
    "author": "name",
    "email": "email",
    "source": "source",
    "text": "notes",
    "video_title": "campaign",
    "video_id": "campaign",
    "id": "externalId",
    "snippet.publishedAt": "enquiredAt",
    "other_phones": "attributes.phones",
    # The same place in other words, for the id is kept beside the title.
    '["video_id"]': "attributes.videoId",
    "link": "attributes.commentUrl",
    "author_channel_id": "attributes.authorChannelId",
    "snippet.parentId": "attributes.parentId",
    "keywords": "attributes.keywords",
    "consent": "attributes.consent",
}

_SUBSCRIPTION_ID = "subscription:"
_CONSENT = "public comment"
_SOURCE = "youtube"
_MADE = frozenset(
    {
        *("text", "author", "author_channel_id", "link", "video_id", "video_title", "phone", "other_phones", "email"),
        *("keywords", "intent", "source", "consent"),
    }
)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment that was read: as it was sent, and what can be told of it. Times are aware, None where none can be read."""

    id: str
    sent: Mapping[str, Json]
    text: str
    author: str
    author_channel_id: str | None
    channel_id: str | None
    video_id: str | None
    thread_id: str
    published_at: datetime | None
    updated_at: datetime | None
    contacts: Contacts

    @property
    def latest_at(self) -> datetime | None:
        """When it was written or changed last."""
        times = [one for one in (self.published_at, self.updated_at) if one is not None]
        return max(times, default=None)

    @property
    def is_edited(self) -> bool:
        """Whether its text is another one than at first."""
        return self.published_at is not None and self.updated_at is not None and self.updated_at > self.published_at

    @property
    def is_own(self) -> bool:
        """Whether the channel itself has written it."""
        return self.author_channel_id is not None and self.author_channel_id == self.channel_id


def read_comment(
    sent: Mapping[str, Json], settings: Settings, *, channel_id: str | None = None, video_id: str | None = None
) -> Comment | None:
    """Return what a comment says, None for what is none; channel and video are those of its thread, where it is known."""
    snippet = as_object(sent.get("snippet"))
    id_ = sent_id(sent.get("id"))
    if id_ is None or not snippet:
        return None
    text = plain_text(_text(snippet.get("textDisplay")) or _text(snippet.get("textOriginal")))
    return Comment(
        id=id_,
        sent=sent,
        text=text,
        # It is mostly a handle, and not a name.
        author=_text(snippet.get("authorDisplayName")).strip().removeprefix("@"),
        author_channel_id=sent_id(as_object(snippet.get("authorChannelId")).get("value")),
        channel_id=channel_id or sent_id(snippet.get("channelId")),
        video_id=sent_id(snippet.get("videoId")) or video_id or sent_id(sent.get("video_id")),
        thread_id=sent_id(snippet.get("parentId")) or id_.partition(".")[0],
        published_at=moment(snippet.get("publishedAt")),
        updated_at=moment(snippet.get("updatedAt")),
        contacts=find_contacts(text, settings.default_region),
    )


def comment_record(comment: Comment, settings: Settings, titles: Mapping[str, str]) -> Record:
    """Return the record of a comment: a lead, an interaction, or the channel's own."""
    title = titles.get(comment.video_id or "") or _text(comment.sent.get("video_title"))
    value = _tidied(comment, title, settings)
    version = sha256(comment.text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    if comment.is_own:
        return Record(value, comment.id, ignored=OWN, version=version)
    detail = f"Intent: {', '.join(words)}" if (words := keywords_in(comment.text, settings.keywords)) else None
    if not comment.contacts.phones:
        return Record(value, comment.id, ignored=INTERACTION, detail=detail, version=version)
    if settings.only_with_keywords and settings.keywords and not words:
        detail = "There is a phone number, but none of the keywords."
        return Record(value, comment.id, ignored=INTERACTION, detail=detail, version=version)
    # The title may come later than the lead; it takes the place of the video's id.
    stands_for = {"campaign": comment.video_id} if title and comment.video_id else None
    return Record(value, comment.id, version=version, stands_for=stands_for)


def unread(sent: Json) -> Record:
    """Return the record of what should be a comment and is none."""
    return Record(sent, digest_of(sent), ignored="unrecognized")


def subscriber_record(sent: Mapping[str, Json]) -> Record:
    """Return the record of somebody who has subscribed: always an interaction.

    What the person says of itself is left out: it was not written to the channel, and nobody is to be looked for in it.
    """
    person = {name: one for name, one in as_object(sent.get("subscriberSnippet")).items() if name != "description"}
    channel_id = sent_id(person.get("channelId"))
    made: dict[str, Json] = {
        "subscriberSnippet": person,
        "author": _text(person.get("title")).strip(),
        "author_channel_id": channel_id,
        "link": f"https://www.youtube.com/channel/{channel_id}" if channel_id else None,
        "source": _SOURCE,
    }
    value = dict(sent) | {name: one for name, one in made.items() if one}
    id_ = sent_id(sent.get("id")) or channel_id
    external_id = f"{_SUBSCRIPTION_ID}{id_}" if id_ else digest_of(value)
    return Record(value, external_id, ignored=INTERACTION, detail="Subscribed")


def is_comment_id(external_id: str) -> bool:
    """Return whether the id of a stored record is a comment's, and not a subscription's or a digest.

    >>> is_comment_id("UgySample0000000007AaABAg.9sample1"), is_comment_id("subscription:1")
    (True, False)
    """
    return ":" not in external_id


def keywords_in(text: str, keywords: Iterable[str]) -> list[str]:
    """Return which of the keywords are in a text, whatever its capitals. In Latin letters a word has to begin there.

    >>> keywords_in("What PRICE, typically? कीमत", ["price", "call", "कीमत"])
    ['price', 'कीमत']
    """
    folded = _folded(text)
    return [one for one in keywords if _begins(_folded(one)).search(folded)]


def moment(text: Json) -> datetime | None:
    """Return a time as YouTube writes it, None for what is none.

    >>> moment("2026-11-10T09:30:00.000Z") == moment("2026-11-10T09:30:00Z"), moment("yesterday")
    (True, None)
    """
    try:
        at = datetime.fromisoformat(text.strip()) if isinstance(text, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None


def _tidied(comment: Comment, title: str, settings: Settings) -> dict[str, Json]:
    """Return a comment as it was sent, with what was made of it. Tidied once more, it stays as it is."""
    phones = comment.contacts.phones
    keywords: list[Json] = [*keywords_in(comment.text, settings.keywords)]
    made: dict[str, Json] = {
        "text": comment.text,
        "author": comment.author,
        "author_channel_id": comment.author_channel_id,
        "link": _link(comment),
        "video_id": comment.video_id,
        "video_title": title,
        "phone": phones[0] if phones else None,
        "other_phones": list(phones[1:]),
        "email": comment.contacts.emails[0] if comment.contacts.emails else None,
        "keywords": keywords,
        "intent": bool(keywords),
        "source": _SOURCE,
        "consent": _CONSENT if phones else None,
    }
    sent = {name: one for name, one in comment.sent.items() if name not in _MADE}
    return sent | {name: one for name, one in made.items() if one}


def _link(comment: Comment) -> str | None:
    if comment.video_id is None:
        return None
    return "https://www.youtube.com/watch?" + urlencode({"v": comment.video_id, "lc": comment.id})


def _begins(keyword: str) -> re.Pattern[str]:
    # Elsewhere words may stand without blanks between them, or begin with a sign that is no letter.
    before = "(?<![a-z0-9])" if keyword[:1].isascii() and keyword[:1].isalnum() else ""
    return re.compile(before + re.escape(keyword))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
