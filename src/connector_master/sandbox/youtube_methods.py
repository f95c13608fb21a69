"""The calls that the stand-in for YouTube knows, and what each of them takes."""

from dataclasses import dataclass

from connector_master.sandbox.google import YOUTUBE_READ_SCOPE, YOUTUBE_SCOPE


@dataclass(frozen=True, slots=True)
class Method:
    """What a call takes: `parts`, exactly one of `filters`, other parameters, one of `scopes`; `most` fit on a page.

    `kind` is what it lists. Without `usual`, the length of a page where none is asked for, there are no pages.
    """

    name: str
    kind: str
    parts: frozenset[str]
    filters: frozenset[str]
    scopes: frozenset[str]
    takes: frozenset[str] = frozenset()
    usual: int | None = None
    least: int = 1
    most: int = 50


_WRITES = frozenset({YOUTUBE_SCOPE})
_READS = frozenset({YOUTUBE_SCOPE, YOUTUBE_READ_SCOPE})
THREADS = Method(
    "commentThreads",
    "commentThread",
    parts=frozenset({"id", "snippet", "replies"}),
    filters=frozenset({"allThreadsRelatedToChannelId", "videoId", "id"}),
    scopes=_WRITES,
    takes=frozenset({"order", "textFormat", "moderationStatus", "searchTerms"}),
    usual=20,
    most=100,
)
COMMENTS = Method(
    "comments",
    "comment",
    parts=frozenset({"id", "snippet"}),
    filters=frozenset({"parentId", "id"}),
    scopes=_WRITES,
    takes=frozenset({"textFormat"}),
    usual=20,
    most=100,
)
CHANNELS = Method(
    "channels",
    "channel",
    parts=frozenset({"id", "snippet", "contentDetails", "statistics"}),
    filters=frozenset({"mine", "id"}),
    scopes=_READS,
    usual=5,
)
SUBSCRIPTIONS = Method(
    "subscriptions",
    "subscription",
    parts=frozenset({"id", "snippet", "subscriberSnippet"}),
    filters=frozenset({"myRecentSubscribers", "mySubscribers"}),
    scopes=_READS,
    usual=5,
    least=0,
)
VIDEOS = Method(
    "videos",
    "video",
    parts=frozenset({"id", "snippet"}),
    filters=frozenset({"id"}),
    scopes=_READS,
)
