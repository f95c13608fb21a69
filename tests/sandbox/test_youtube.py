"""The stand-in for YouTube, over a real socket: it lists as YouTube lists, and refuses in YouTube's words."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.support.hub import ROOT
from tests.support.sandbox import CLOCK, Sandbox

SAMPLES = ROOT / "tests/samples/youtube"
PUMPS, OUTLET = "UCSandboxChannel00000001", "UCSandboxChannel00000002"
BRAND = "Sandbox Outlet (brand account)"
SCOPE, READ_SCOPE = (f"https://www.googleapis.com/auth/youtube.{name}" for name in ("force-ssl", "readonly"))
APP = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
BACK = "https://hub.example/api/connectors/oauth/callback"
THREADS = {"part": "snippet,replies", "textFormat": "plainText", "allThreadsRelatedToChannelId": PUMPS}


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def error(reason: str, status: int | None = None) -> tuple[int, Any]:
    """The status and the body that the samples have for a reason."""
    found: list[Any] = [
        one
        for one in sample("errors")
        if one["body"]["error"]["errors"][0]["reason"] == reason and status in (None, one["http_status"])
    ]
    return found[0]["http_status"], found[0]["body"]


def call(sandbox: Sandbox, method: str, token: str = "sandbox-token", **query: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return sandbox.http.get(f"{sandbox.url}/youtube/youtube/v3/{method}", params=query, headers=headers)


def listed(sandbox: Sandbox, method: str, token: str = "sandbox-token", **query: Any) -> Any:
    answer = call(sandbox, method, token, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def threads(sandbox: Sandbox, **query: Any) -> list[Any]:
    items: list[Any] = listed(sandbox, "commentThreads", **THREADS | query)["items"]
    return items


def tokens(sandbox: Sandbox, scope: str = SCOPE, person: str = "Asha Verma", **app: str) -> str:
    """An access token as a person's consent gives it."""
    sandbox.set("google", consents="allow", person=person)
    asked = APP | app
    query = {"client_id": asked["client_id"], "redirect_uri": BACK, "response_type": "code", "scope": scope}
    back = sandbox.http.get(f"{sandbox.url}/google/o/oauth2/v2/auth", params=query)
    sandbox.set("google", person=None)
    (code,) = parse_qs(urlsplit(back.headers["location"]).query)["code"]
    form = asked | {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    token: str = sandbox.http.post(f"{sandbox.url}/google/token", data=form).json()["access_token"]
    return token


def refused(answer: httpx2.Response) -> str:
    said = answer.json()["error"]
    assert said["code"] == answer.status_code
    reason: str = said["errors"][0]["reason"]
    return reason


def keys(value: Any) -> Any:
    """The shape of a JSON text: its keys, without what they hold."""
    if isinstance(value, dict):
        return {name: keys(one) for name, one in sorted(value.items())}
    return [keys(value[0])] if isinstance(value, list) and value else None


# ---- tokens, scopes and channels ------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "nobody-issued-this"])
def test_a_call_without_a_token_that_lives_is_refused_as_documented(sandbox: Sandbox, token: str) -> None:
    answer = call(sandbox, "commentThreads", token, **THREADS)
    assert (answer.status_code, answer.json()) == error("authError")


def test_a_token_ends_with_its_hour_and_with_its_grant(sandbox: Sandbox) -> None:
    first = tokens(sandbox)
    sandbox.pass_time(hours=1)
    ended = call(sandbox, "commentThreads", first, **THREADS)
    second = tokens(sandbox)
    alive = call(sandbox, "commentThreads", second, **THREADS)
    sandbox.control("google/actions", {"action": "revoke_all"})
    revoked = call(sandbox, "commentThreads", second, **THREADS)

    assert [one.status_code for one in (ended, alive, revoked)] == [401, 200, 401]


def test_reading_comments_needs_the_scope_that_writes(sandbox: Sandbox) -> None:
    token = tokens(sandbox, READ_SCOPE)
    for method, query in (("commentThreads", THREADS), ("comments", {"part": "snippet", "id": "x"})):
        answer = call(sandbox, method, token, **query)
        assert (answer.status_code, answer.json()) == error("insufficientPermissions")
    assert call(sandbox, "channels", token, part="snippet", mine="true").status_code == 200


def test_an_account_has_the_channel_that_was_picked_with_it_or_none(sandbox: Sandbox) -> None:
    asked = {"part": "snippet,contentDetails,statistics", "mine": "true"}
    own, brand = (listed(sandbox, "channels", tokens(sandbox, person=one), **asked) for one in ("Asha Verma", BRAND))
    none = listed(sandbox, "channels", tokens(sandbox, person="Ravi Nair"), **asked)

    assert keys(own) == keys(sample("channels_mine"))
    assert [one["items"][0]["id"] for one in (own, brand)] == [PUMPS, OUTLET]
    assert keys(none) == keys(sample("channels_mine_empty"))


def test_how_many_have_subscribed_is_told_roughly_and_as_text(sandbox: Sandbox) -> None:
    sandbox.control("youtube/leads", {"count": 1524, "lead": {"subscribes": "true"}})
    (channel,) = listed(sandbox, "channels", part="statistics", mine="true")["items"]
    assert channel["statistics"]["subscriberCount"] == "1520"


# ---- comments and threads -------------------------------------------------------------------------------


def test_a_comment_is_listed_as_youtube_lists_it(sandbox: Sandbox) -> None:
    written = sandbox.add("youtube", text="How much?", author="@asha", authorChannelId="UCx")
    body = listed(sandbox, "commentThreads", **THREADS)

    wanted = sample("comment_edited")["first_sync"]
    assert keys(body) == keys(wanted)
    (thread,) = body["items"]
    top = thread["snippet"]["topLevelComment"]
    assert (thread["id"], top) == (top["id"], written)
    snippet = top["snippet"]
    assert (snippet["textDisplay"], snippet["authorDisplayName"]) == ("How much?", "@asha")
    assert snippet["publishedAt"] == snippet["updatedAt"] == "2026-10-12T10:30:00Z"
    assert (snippet["authorChannelId"], snippet["videoId"]) == ({"value": "UCx"}, "SandboxVid1")


def test_what_is_said_by_default_holds_the_phone_and_can_do_without(sandbox: Sandbox) -> None:
    with_phone = sandbox.add("youtube", phone="+919000000777")["snippet"]["textDisplay"]
    without = sandbox.add("youtube", phone="")["snippet"]["textDisplay"]
    assert "9000000777" in with_phone
    assert "9000" not in without


def test_threads_come_newest_first_in_pages_that_say_their_own_size(sandbox: Sandbox) -> None:
    sandbox.spread("youtube", 25, CLOCK - timedelta(days=5), CLOCK)
    pages = [listed(sandbox, "commentThreads", **THREADS)]
    while token := pages[-1].get("nextPageToken"):
        pages.append(listed(sandbox, "commentThreads", **THREADS, pageToken=token))

    assert [page["pageInfo"] for page in pages] == [
        {"totalResults": 20, "resultsPerPage": 20},
        {"totalResults": 5, "resultsPerPage": 20},
    ]
    times = [one["snippet"]["topLevelComment"]["snippet"]["publishedAt"] for page in pages for one in page["items"]]
    assert len(set(times)) == 25
    assert [one.replace(".000", "") for one in times] == sorted(
        (one.replace(".000", "") for one in times), reverse=True
    )


def test_a_token_is_good_for_its_own_list_only(sandbox: Sandbox) -> None:
    sandbox.spread("youtube", 3, CLOCK - timedelta(days=5), CLOCK)
    token = listed(sandbox, "commentThreads", **THREADS, maxResults=2)["nextPageToken"]
    other = call(sandbox, "commentThreads", **THREADS, videoId="SandboxVid1", maxResults=2, pageToken="x")
    wrong = [
        call(sandbox, "commentThreads", **THREADS, maxResults=1, pageToken=token),
        call(sandbox, "commentThreads", **THREADS, maxResults=2, pageToken="QURTSl9p-sample-page-2"),
    ]

    assert refused(other) == "incompatibleParameters"
    assert [(one.status_code, one.json()) for one in wrong] == [error("invalidPageToken")] * 2


def test_only_some_replies_lie_in_the_thread_and_all_in_a_list_of_their_own(sandbox: Sandbox) -> None:
    top = sandbox.add_at("youtube", CLOCK - timedelta(days=1))["id"]
    replies = [
        sandbox.add_at("youtube", CLOCK - timedelta(hours=20 - hours), replyTo=top, text=f"reply {hours}")["id"]
        for hours in range(6)
    ]
    sandbox.add("youtube", replyTo=replies[0], text="an answer to an answer")
    newest = sandbox.add_at("youtube", CLOCK - timedelta(hours=2))["id"]

    shown = threads(sandbox)
    body = listed(sandbox, "comments", part="snippet", parentId=top, textFormat="plainText", maxResults=100)

    assert [one["id"] for one in shown] == [newest, top]
    assert "replies" not in shown[0]
    assert keys(shown[1]) == keys(sample("comment_thread_with_replies")["items"][0])
    assert (shown[1]["snippet"]["totalReplyCount"], len(shown[1]["replies"]["comments"])) == (7, 5)
    assert keys(body["items"]) == keys(sample("comments_list_replies")["items"])
    assert {one["id"] for one in body["items"]} >= set(replies)
    assert {one["snippet"]["parentId"] for one in body["items"]} == {top}


def test_an_edit_keeps_id_and_time_and_changes_the_rest(sandbox: Sandbox) -> None:
    first = sandbox.add("youtube", text="How much?")
    sandbox.pass_time(minutes=70)
    sandbox.add("youtube", edits=first["id"], text="How much? my number 9000000709")

    (thread,) = threads(sandbox)
    after = thread["snippet"]["topLevelComment"]

    assert after["id"] == first["id"]
    assert after["snippet"]["textDisplay"] == "How much? my number 9000000709"
    assert after["snippet"]["publishedAt"] == first["snippet"]["publishedAt"]
    assert after["snippet"]["updatedAt"] == "2026-10-12T11:40:00Z"
    assert after["etag"] != first["etag"]


def test_a_deletion_leaves_no_trace_and_takes_the_replies_along(sandbox: Sandbox) -> None:
    kept, gone = (sandbox.add("youtube")["id"] for _ in range(2))
    reply = sandbox.add("youtube", replyTo=gone)["id"]
    sandbox.add("youtube", deletes=gone)

    found = listed(sandbox, "comments", part="id", id=f"{kept},{gone},{reply}")["items"]

    assert [one["id"] for one in found] == [one["id"] for one in threads(sandbox)] == [kept]
    assert call(sandbox, "comments", part="snippet", parentId=gone).status_code == 404


def test_what_is_held_for_review_is_for_the_owner_and_apart(sandbox: Sandbox) -> None:
    held = sandbox.add("youtube", moderationStatus="heldForReview", text="call me https://wa.me/919000000708")["id"]
    reply = sandbox.add("youtube", replyTo=sandbox.add("youtube")["id"], moderationStatus="heldForReview")["id"]
    other = tokens(sandbox, person=BRAND)

    shown = threads(sandbox, moderationStatus="heldForReview")
    denied = call(sandbox, "commentThreads", other, **THREADS, moderationStatus="heldForReview")

    assert keys(shown[-1]) == keys(sample("comment_threads_held_for_review")["items"][0])
    assert shown[-1]["snippet"]["topLevelComment"]["id"] == held
    assert shown[0]["replies"]["comments"][0]["id"] == reply
    assert held not in [one["id"] for one in threads(sandbox)]
    assert (denied.status_code, denied.json()) == error("forbidden")
    assert len(listed(sandbox, "comments", part="snippet", id=f"{held},{reply}")["items"]) == 2
    assert listed(sandbox, "comments", other, part="snippet", id=f"{held},{reply}")["items"] == []

    sandbox.add("youtube", edits=held, moderationStatus="published")
    (passed,) = [one for one in threads(sandbox) if one["id"] == held]
    assert "moderationStatus" not in passed["snippet"]["topLevelComment"]["snippet"]


def test_what_was_typed_is_for_its_author_and_text_is_html_unless_asked_otherwise(sandbox: Sandbox) -> None:
    sandbox.add("youtube", isOwn="true", text="Don't wait\nhttps://example.com/?a=1&b=2", isClosed="true")
    sandbox.add("youtube", isClosed="true")
    stranger, own = (one["snippet"]["topLevelComment"]["snippet"] for one in threads(sandbox, textFormat="html"))

    assert own["textOriginal"] == "Don't wait\nhttps://example.com/?a=1&b=2"
    assert own["textDisplay"].startswith('Don&#39;t wait<br><a href="https://example.com/?a=1&amp;b=2">')
    assert own["authorChannelId"] == {"value": PUMPS}
    assert "textOriginal" not in stranger
    assert "authorChannelId" not in stranger


def test_channels_have_their_own_comments_and_videos_their_titles(sandbox: Sandbox) -> None:
    mine, theirs = (
        sandbox.add("youtube", videoId="SandboxVid2")["id"],
        sandbox.add("youtube", videoId="SandboxVid3")["id"],
    )
    titles = listed(sandbox, "videos", part="snippet", id="SandboxVid2,SandboxVid3,nobody")

    assert [one["id"] for one in threads(sandbox)] == [mine]
    assert [one["id"] for one in threads(sandbox, allThreadsRelatedToChannelId=OUTLET)] == [theirs]
    assert keys(titles) == keys(sample("videos_titles"))
    assert [one["snippet"]["title"] for one in titles["items"]] == ["Valve buying guide", "What is new"]


def test_where_comments_are_switched_off_there_are_none(sandbox: Sandbox) -> None:
    sandbox.add("youtube", videoId="SandboxVid1")
    sandbox.set("youtube", commentsDisabled=["SandboxVid1"])
    answer = call(sandbox, "commentThreads", part="snippet", videoId="SandboxVid1")

    assert threads(sandbox) == []
    assert (answer.status_code, answer.json()) == error("commentsDisabled")


# ---- subscribers ----------------------------------------------------------------------------------------


def test_subscribers_who_made_it_public_are_listed_the_newest_first(sandbox: Sandbox) -> None:
    for hours in (3, 1, 2):
        sandbox.add_at("youtube", CLOCK - timedelta(hours=hours), subscribes="true", name=f"Person {hours}")
    sandbox.add("youtube", subscribes="true", isPrivate="true")
    sandbox.add("youtube", subscribes="true", channelId=OUTLET)
    asked: dict[str, Any] = {"part": "snippet,subscriberSnippet", "myRecentSubscribers": "true", "maxResults": 2}

    first = listed(sandbox, "subscriptions", **asked)
    last = listed(sandbox, "subscriptions", **asked, pageToken=first["nextPageToken"])

    assert keys(first) == keys(sample("subscriptions_recent_page1"))
    titles = [one["subscriberSnippet"]["title"].split("-")[1] for page in (first, last) for one in page["items"]]
    assert titles == ["1", "2", "3"]
    assert "nextPageToken" not in last
    denied = call(sandbox, "subscriptions", tokens(sandbox, person="Ravi Nair"), **asked)
    assert (denied.status_code, denied.json()) == error("subscriptionForbidden")


# ---- what is asked wrongly, quota and faults ------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "query", "reason"),
    [
        ("commentThreads", {"allThreadsRelatedToChannelId": PUMPS}, "missingRequiredParameter"),
        ("commentThreads", {"part": "snippet"}, "missingRequiredParameter"),
        ("commentThreads", {"part": "snippet", "channelId": PUMPS}, "unexpectedParameter"),
        ("commentThreads", THREADS | {"id": "x"}, "incompatibleParameters"),
        ("commentThreads", THREADS | {"part": "snippet,contentDetails"}, "invalidParameter"),
        ("commentThreads", THREADS | {"maxResults": "101"}, "invalidParameter"),
        ("commentThreads", THREADS | {"maxResults": "0"}, "invalidParameter"),
        ("commentThreads", THREADS | {"order": "newest"}, "invalidParameter"),
        ("commentThreads", THREADS | {"textFormat": "text"}, "invalidParameter"),
        ("commentThreads", THREADS | {"moderationStatus": "rejected"}, "invalidParameter"),
        ("commentThreads", THREADS | {"publishedAfter": "2026-10-01T00:00:00Z"}, "unexpectedParameter"),
        ("commentThreads", {"part": "id", "id": "x", "moderationStatus": "published"}, "incompatibleParameters"),
        ("comments", {"part": "snippet", "parentId": "x", "id": "x"}, "incompatibleParameters"),
        ("comments", {"part": "snippet", "id": ",".join("x" * 51)}, "invalidParameter"),
        ("channels", {"part": "snippet"}, "missingRequiredParameter"),
        ("subscriptions", {"part": "snippet", "mine": "true"}, "unexpectedParameter"),
        ("subscriptions", {"part": "snippet", "mySubscribers": "true", "maxResults": "51"}, "invalidParameter"),
        ("videos", {"part": "snippet", "id": ""}, "invalidParameter"),
    ],
)
def test_what_is_asked_wrongly_is_refused_and_costs_all_the_same(
    sandbox: Sandbox, method: str, query: dict[str, str], reason: str
) -> None:
    answer = call(sandbox, method, **query)
    assert (answer.status_code, refused(answer)) == (400, reason)
    assert sum(sandbox.state("youtube")["unitsToday"].values()) == 1


def test_an_unknown_channel_or_video_is_not_found(sandbox: Sandbox) -> None:
    channel = call(sandbox, "commentThreads", **THREADS | {"allThreadsRelatedToChannelId": "UCx"})
    video = call(sandbox, "commentThreads", part="snippet", videoId="x")
    assert (channel.status_code, channel.json()) == error("channelNotFound")
    assert (video.status_code, refused(video)) == (404, "videoNotFound")


def test_a_projects_quota_is_shared_by_its_channels_and_ends_at_midnight_in_california(sandbox: Sandbox) -> None:
    sandbox.set("youtube", quotaPerDay=3)
    mine, theirs, others = tokens(sandbox), tokens(sandbox, person=BRAND), tokens(sandbox, client_id="sandbox-other")
    asked = {"part": "snippet", "mine": "true"}

    said = [call(sandbox, "channels", one, **asked).status_code for one in (mine, theirs, mine, theirs, others)]
    refusal = call(sandbox, "channels", mine, **asked)

    assert said == [200, 200, 200, 403, 200]
    assert (refusal.status_code, refusal.json()) == error("quotaExceeded")
    state = sandbox.state("youtube")
    assert state["unitsToday"] == {"sandbox-client": 3, "sandbox-other": 1}
    assert [one["rule"] for one in state["breaches"]] == ["called_without_quota"]

    # It is 3:30 there; it is 23:59, then midnight.
    sandbox.pass_time(hours=20, minutes=29)
    assert call(sandbox, "channels", tokens(sandbox), **asked).status_code == 403
    sandbox.pass_time(minutes=1)
    assert call(sandbox, "channels", tokens(sandbox), **asked).status_code == 200


def test_the_quota_can_be_used_up_and_given_anew(sandbox: Sandbox) -> None:
    said = []
    for action in ("exhaust_quota", "renew_quota"):
        sandbox.control("youtube/actions", {"action": action})
        said.append(call(sandbox, "videos", part="snippet", id="x").status_code)
    assert said == [403, 200]


@pytest.mark.parametrize(
    ("fault", "reason", "status"),
    [
        ("token_refused", "authError", 401),
        ("scope_missing", "insufficientPermissions", 403),
        ("quota", "quotaExceeded", 403),
        ("rate", "rateLimitExceeded", 403),
        ("busy_minute", "rateLimitExceeded", 429),
        ("forbidden", "forbidden", 403),
        ("api_disabled", "accessNotConfigured", 403),
        ("processing", "processingFailure", 400),
        ("internal", "backendError", 500),
    ],
)
def test_every_fault_answers_as_documented(sandbox: Sandbox, fault: str, reason: str, status: int) -> None:
    sandbox.fault("youtube", **{fault: 1})
    first, second = (call(sandbox, "commentThreads", **THREADS) for _ in range(2))
    assert (first.status_code, first.json()) == error(reason, status)
    assert second.status_code == 200


def test_lists_can_end_late_never_or_out_of_order(sandbox: Sandbox) -> None:
    sandbox.spread("youtube", 4, CLOCK - timedelta(days=1), CLOCK)
    right = [one["id"] for one in threads(sandbox)]
    sandbox.fault("youtube", empty_last_page=True)
    page = listed(sandbox, "commentThreads", **THREADS)
    last = listed(sandbox, "commentThreads", **THREADS, pageToken=page["nextPageToken"])
    sandbox.fault("youtube", empty_last_page=None, same_token=True)
    same = [listed(sandbox, "commentThreads", **THREADS, maxResults=2)]
    same.append(listed(sandbox, "commentThreads", **THREADS, maxResults=2, pageToken=same[0]["nextPageToken"]))
    sandbox.fault("youtube", same_token=None, out_of_order=True)

    assert keys(last) == keys(sample("comment_threads_empty"))
    assert same[0] == same[1]
    assert [one["id"] for one in threads(sandbox)] == [right[1], right[0], right[3], right[2]]


# ---- steering -------------------------------------------------------------------------------------------


def test_its_buttons_do_what_they_say(sandbox: Sandbox) -> None:
    assert sandbox.control("youtube/actions", {"action": "delete"})["told"] == "There is no comment yet."
    told = [
        sandbox.control("youtube/actions", {"action": action})["told"]
        for action in ("comment", "reply", "edit", "subscribe")
    ]
    (thread,) = threads(sandbox)

    assert all(thread["id"] in one for one in told[:3])
    assert thread["snippet"]["totalReplyCount"] == 1
    assert "9000" in thread["snippet"]["topLevelComment"]["snippet"]["textDisplay"]
    assert len(listed(sandbox, "subscriptions", part="snippet", mySubscribers="true")["items"]) == 1
    sandbox.control("youtube/actions", {"action": "delete"})
    assert threads(sandbox) == []


@pytest.mark.parametrize("lead", [{"edits": "x"}, {"deletes": "x"}, {"replyTo": "x"}, {"videoId": "x"}])
def test_what_can_not_be_done_is_refused_in_words(sandbox: Sandbox, lead: dict[str, str]) -> None:
    answer = sandbox.http.post(f"{sandbox.url}/_control/youtube/leads", json={"lead": lead})
    assert (answer.status_code, "There is no" in answer.json()["error"]) == (400, True)
