"""What YouTube says: channels, videos, comments, their threads and subscriptions as its API writes them."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connector_master.sandbox.youtube_audience import Comment, Subscriber, Thread

CHANNELS: list[dict[str, Any]] = [
    {
        "id": "UCSandboxChannel00000001",
        "title": "Sandbox Pumps",
        "handle": "@sandboxpumps",
        "owner": "Asha Verma",
        "videos": {"SandboxVid1": "Pump demo", "SandboxVid2": "Valve buying guide"},
    },
    {
        "id": "UCSandboxChannel00000002",
        "title": "Sandbox Outlet",
        "handle": "@sandboxoutlet",
        "owner": "Sandbox Outlet (brand account)",
        "videos": {"SandboxVid3": "What is new", "SandboxVid4": "Opening hours"},
    },
]
"""The channels there are, each of the account that `owner` names; who owns none has none."""

_LINK = re.compile(r"https?://\S+")
_PICTURE = "https://yt3.ggpht.com/sandbox"


def channel(one: Mapping[str, Any], subscribers: int) -> dict[str, Any]:
    """Return a channel. How many have subscribed is rounded to three figures, and numbers are text."""
    return {
        "kind": "youtube#channel",
        "id": one["id"],
        "snippet": {
            "title": one["title"],
            "description": "A channel of the sandbox",
            "customUrl": one["handle"],
            "publishedAt": "2021-04-01T05:00:00Z",
            "thumbnails": {"default": {"url": _PICTURE, "width": 88, "height": 88}},
            "country": "IN",
        },
        "contentDetails": {"relatedPlaylists": {"likes": "", "uploads": f"UU{one['id'][2:]}"}},
        "statistics": {
            "viewCount": "120034",
            "subscriberCount": str(int(float(f"{subscribers:.3g}"))),
            "hiddenSubscriberCount": False,
            "videoCount": str(len(one["videos"])),
        },
    }


def video(id_: str, title: str, of: Mapping[str, Any]) -> dict[str, Any]:
    """Return a video of a channel."""
    return {
        "kind": "youtube#video",
        "id": id_,
        "snippet": {
            "publishedAt": "2026-09-01T05:00:00Z",
            "channelId": of["id"],
            "title": title,
            "description": "",
            "channelTitle": of["title"],
            "liveBroadcastContent": "none",
        },
    }


def comment(
    one: Comment, *, caller: str | None, is_html: bool, parts: frozenset[str] = frozenset({"snippet"})
) -> dict[str, Any]:
    """Return a comment as the channel `caller` sees it: what was typed is shown to its author alone."""
    snippet: dict[str, Any] = {
        "channelId": one.channel,
        "videoId": one.video,
        "textDisplay": _marked_up(one.text) if is_html else one.text,
    }
    if caller is not None and one.author.channel == caller:
        snippet["textOriginal"] = one.text
    if one.parent is not None:
        snippet["parentId"] = one.parent
    snippet |= {
        "authorDisplayName": one.author.name,
        "authorProfileImageUrl": _PICTURE,
        "authorChannelUrl": f"http://www.youtube.com/{one.author.name}" if one.author.name else "",
    }
    if one.author.channel is not None:
        snippet["authorChannelId"] = {"value": one.author.channel}
    snippet |= {"canRate": True, "viewerRating": "none", "likeCount": 0}
    if one.moderation != "published":
        snippet["moderationStatus"] = one.moderation
    snippet |= {"publishedAt": _time(one.at, one), "updatedAt": _time(one.changed_at, one)}
    return picked({"kind": "youtube#comment", "id": one.id, "snippet": snippet}, parts)


def thread(
    one: Thread, *, caller: str | None, is_html: bool, parts: frozenset[str], most_replies: int
) -> dict[str, Any]:
    """Return a thread with its top comment, and no more than so many of its replies."""
    shown: dict[str, Any] = {
        "kind": "youtube#commentThread",
        "id": one.top.id,
        "snippet": {
            "channelId": one.top.channel,
            "videoId": one.top.video,
            "topLevelComment": comment(one.top, caller=caller, is_html=is_html),
            "canReply": True,
            "totalReplyCount": len(one.replies),
            "isPublic": True,
        },
    }
    if one.replies:
        inline = [comment(reply, caller=caller, is_html=is_html) for reply in one.replies[:most_replies]]
        shown["replies"] = {"comments": inline}
    return picked(shown, parts)


def subscription(one: Subscriber, to: Mapping[str, Any]) -> dict[str, Any]:
    """Return a subscription: `snippet` tells of the channel, `subscriberSnippet` of the person."""
    return {
        "kind": "youtube#subscription",
        "id": one.id,
        "snippet": {
            "publishedAt": f"{one.at:%Y-%m-%dT%H:%M:%SZ}",
            "title": to["title"],
            "description": "",
            "resourceId": {"kind": "youtube#channel", "channelId": to["id"]},
            "channelId": one.person.channel,
        },
        "subscriberSnippet": {
            "title": one.person.name.removeprefix("@"),
            "description": one.description,
            "channelId": one.person.channel,
            "thumbnails": {"default": {"url": _PICTURE}},
        },
    }


def picked(whole: Mapping[str, Any], parts: frozenset[str]) -> dict[str, Any]:
    """Return the parts that were asked for, with an etag that is another one as soon as anything in them changes."""
    kept = {name: value for name, value in whole.items() if name in parts | {"kind", "id"}}
    return {"kind": kept.pop("kind"), "etag": _etag(kept), **kept}


def page(kind: str, items: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer that lists something. Channels are not listed at all where there are none."""
    body: dict[str, Any] = {"kind": f"youtube#{kind}ListResponse", "etag": _etag(items), **about}
    if items or kind != "channel":
        body["items"] = list(items)
    return body


def _etag(of: Any) -> str:
    digest = hashlib.sha1(json.dumps(of, sort_keys=True).encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _time(at: datetime, of: Comment) -> str:
    # Older ones have milliseconds.
    return f"{at:%Y-%m-%dT%H:%M:%S}{'.000' if of.number % 4 == 3 else ''}Z"


def _marked_up(text: str) -> str:
    """Return a text as YouTube writes it into its page.

    >>> _marked_up("Don't miss\\nhttps://example.com/?a=1&b=2")
    'Don&#39;t miss<br><a href="https://example.com/?a=1&amp;b=2">https://example.com/?a=1&amp;b=2</a>'
    """
    escaped = html.escape(text, quote=False).replace("'", "&#39;")
    return _LINK.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', escaped).replace("\n", "<br>")
