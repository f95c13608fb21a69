"""YouTube pulls: how far lists are read, replies, what is withheld, rechecks, and every refusal with its meaning."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector_master.connectors.pulling import Page, Window
from connector_master.connectors.youtube import connector
from connector_master.connectors.youtube_channels import accounts
from connector_master.connectors.youtube_errors import problem_in
from connector_master.connectors.youtube_pull import LIMITS, pull, recheck
from connector_master.connectors.youtube_pull import test as check
from connector_master.connectors.youtube_settings import Settings
from connector_master.model.event import Record
from connector_master.model.problem import (
    AppRefused,
    BadProviderRequest,
    CredentialsRefused,
    DailyLimitReached,
    PermissionMissing,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.outbound.client import Answer
from tests.connectors.scripted import answer
from tests.connectors.youtube_world import (
    CHANNEL,
    ERRORS,
    Call,
    YouTube,
    comment,
    error,
    grant,
    listed,
    refused,
    sample,
    thread,
    threads,
)

NOVEMBER = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC))
OLD, NEW = "2026-10-20T10:00:00Z", "2026-11-20T10:00:00Z"


async def pages(youtube: YouTube, window: Window = NOVEMBER, access: Any = None, **settings: Any) -> list[Page]:
    form = Settings.model_validate(settings)
    return [page async for page in pull(youtube, access or grant(CHANNEL), form, window)]


async def pulled(youtube: YouTube, window: Window = NOVEMBER, **settings: Any) -> list[Record]:
    return [record for page in await pages(youtube, window, **settings) for record in page.records]


async def rechecked(youtube: YouTube, *ids: str) -> list[Record]:
    return list(await recheck(youtube, grant(CHANNEL), Settings(), ids))


def published(*answers: Any) -> Callable[[Call], Any]:
    """Answer questions for published threads in turn, all others as if there were nothing."""
    left = list(answers)
    return lambda call: left.pop(0) if call.name == "commentThreads" and not call.is_held else None


def ids(records: list[Record]) -> list[str | None]:
    return [record.external_id for record in records]


def day(number: int, hour: int = 10) -> str:
    return f"2026-11-{number:02}T{hour:02}:00:00Z"


# ---- windows and pages ----------------------------------------------------------------------------------


async def test_threads_are_asked_for_as_the_api_wants_it() -> None:
    youtube = YouTube(published(sample("comment_threads_page1"), sample("comment_threads_page2_last")))

    records = await pulled(youtube)

    first, second, held = youtube.asked("commentThreads")
    assert first.query == {
        "part": "snippet,replies",
        "allThreadsRelatedToChannelId": CHANNEL,
        "order": "time",
        "textFormat": "plainText",
        "maxResults": "100",
    }
    assert second.query == first.query | {"pageToken": "QURTSl9p-sample-page-2"}
    assert held.query == first.query | {"moderationStatus": "heldForReview"}
    assert first.headers == {"Authorization": "Bearer ya29.secret-token"}
    assert len(set(ids(records))) == 6


async def test_nothing_counts_as_read_before_the_last_page() -> None:
    youtube = YouTube(published(sample("comment_threads_page1"), sample("comment_threads_page2_last")))

    found = await pages(youtube)

    assert [page.read_until for page in found] == [NOVEMBER.start, NOVEMBER.start, NOVEMBER.end]


async def test_reading_stops_after_a_page_on_which_all_is_older() -> None:
    mixed = threads(thread("a", "x", OLD), thread("b", "x", NEW), next_token="2")
    older = threads(thread("c", "x", OLD), thread("d", "x", OLD), next_token="3")
    youtube = YouTube(published(mixed, older))

    records = await pulled(youtube)

    assert ids(records) == ["b"], "older ones are left out, and don't end the reading among newer ones"
    assert [call.query.get("pageToken") for call in youtube.asked("commentThreads") if not call.is_held] == [None, "2"]


@pytest.mark.parametrize("last", [threads(next_token="3"), threads(), threads(thread("b", "x", NEW), next_token="2")])
async def test_a_list_ends_at_an_empty_page_or_a_token_that_was_used(last: Any) -> None:
    youtube = YouTube(published(threads(thread("a", "x", NEW), next_token="2"), last))

    assert "a" in ids(await pulled(youtube))
    assert len([call for call in youtube.asked("commentThreads") if not call.is_held]) == 2


async def test_what_comes_after_the_window_is_left_to_the_next() -> None:
    youtube = YouTube(published(threads(thread("later", "x", "2026-12-01T10:00:00Z"), thread("a", "x", NEW))))

    assert ids(await pulled(youtube)) == ["a"]


async def test_an_edit_of_an_older_comment_is_read() -> None:
    edited = thread("a", "x", OLD)
    edited["snippet"]["topLevelComment"]["snippet"]["updatedAt"] = NEW
    youtube = YouTube(published(threads(edited, thread("b", "x", NEW))))

    assert ids(await pulled(youtube)) == ["a", "b"]


async def test_a_time_that_can_t_be_read_loses_nothing() -> None:
    youtube = YouTube(published(threads(thread("a", "x", "yesterday"), thread("b", "x", OLD))))

    assert ids(await pulled(youtube)) == ["a"]


async def test_a_deep_run_reads_thirty_days_back_and_no_more_than_twenty_pages() -> None:
    window = Window(NOVEMBER.end - timedelta(hours=48), NOVEMBER.end, is_deep=True)
    few = YouTube(published(threads(thread("a", "x", day(2)), next_token="2"), threads(thread("b", "x", OLD))))
    many = YouTube(published(*(threads(thread(f"t{n}", "x", day(15)), next_token=str(n)) for n in range(30))))

    assert ids(await pulled(few, window)) == ["a"]
    assert len(await pulled(many, window)) == 20


async def test_a_deep_run_after_a_long_pause_reads_its_window_whatever_the_pages() -> None:
    window = Window(NOVEMBER.start, NOVEMBER.end, is_deep=True)
    answers = [threads(thread(f"t{n}", "x", day(15)), next_token=str(n)) for n in range(30)]
    youtube = YouTube(published(*answers, threads(thread("old", "x", OLD))))

    assert len(await pulled(youtube, window)) == 30


async def test_a_page_token_that_is_forgotten_begins_the_walk_anew_a_few_times() -> None:
    first, last = threads(thread("a", "x", NEW), next_token="2"), threads(thread("b", "x", NEW))
    gone = refused("400 invalidPageToken")

    assert set(ids(await pulled(YouTube(published(first, gone, first, last))))) == {"a", "b"}
    with pytest.raises(ProviderUnavailable):
        await pulled(YouTube(published(first, gone, first, gone, first, gone)))


async def test_comments_that_are_turned_off_are_no_failure() -> None:
    youtube = YouTube(published(refused("403 commentsDisabled")))

    (page,) = await pages(youtube)

    assert (page.records, page.read_until) == ([], NOVEMBER.end)


async def test_an_answer_that_is_empty_is_a_success() -> None:
    (page,) = await pages(YouTube(published(sample("comment_threads_empty"))))

    assert (page.records, page.read_until) == ([], NOVEMBER.end)


@pytest.mark.parametrize("odd", ["", "<html>", {"a": 1}, [], 7, {"kind": "x", "items": {"a": 1}}])
async def test_what_youtube_does_not_document_is_never_no_comments(odd: Any) -> None:
    with pytest.raises(ProviderUnavailable):
        await pulled(YouTube(published(answer(odd))))


async def test_a_thread_that_can_t_be_read_spoils_only_itself() -> None:
    youtube = YouTube(published(threads({"snippet": {}}, 7, thread("a", "x", NEW))))

    assert [record.ignored for record in await pulled(youtube)] == ["interaction", "unrecognized"]


# ---- held for review ------------------------------------------------------------------------------------


async def test_comments_that_are_held_for_review_are_read_as_well() -> None:
    held = sample("comment_threads_held_for_review")
    youtube = YouTube(lambda call: held if call.is_held else None)

    (record,) = await pulled(youtube)

    assert isinstance(record.value, dict)
    assert (record.ignored, record.value["phone"]) == (None, "+919000000708")


async def test_where_held_comments_are_withheld_the_others_are_read_and_it_is_asked_once_a_day() -> None:
    def respond(call: Call) -> Any:
        if call.name == "commentThreads":
            return refused("403 forbidden") if call.is_held else threads(thread("a", "x", NEW))
        return None

    first, second, deep = YouTube(respond), YouTube(respond), YouTube(respond)
    found = await pages(first)
    state = found[-1].state
    await pages(second, Window(NOVEMBER.start, NOVEMBER.end, state=state))
    await pages(deep, Window(NOVEMBER.start, NOVEMBER.end, state=state, is_deep=True))

    assert ids([record for page in found for record in page.records]) == ["a"]
    assert [any(call.is_held for call in one.calls) for one in (first, second, deep)] == [True, False, True]


# ---- replies --------------------------------------------------------------------------------------------


def with_replies(call: Call) -> Any:
    if call.name == "commentThreads" and not call.is_held:
        return sample("comment_thread_with_replies")
    return sample("comments_list_replies") if call.name == "comments" else None


async def test_replies_that_a_page_does_not_hold_are_asked_for() -> None:
    youtube = YouTube(with_replies)

    records = await pulled(youtube)

    (asked,) = youtube.asked("comments")
    assert asked.query == {
        "part": "snippet",
        "parentId": "UgySample0000000007AaABAg",
        "maxResults": "100",
        "textFormat": "plainText",
    }
    assert len(ids(records)) == len(set(ids(records))) == 7
    (lead,) = [record for record in records if record.ignored is None]
    assert isinstance(lead.value, dict)
    assert lead.value["phone"] == "+919000000706"


async def test_replies_are_asked_for_again_only_once_there_are_others() -> None:
    first, same = YouTube(with_replies), YouTube(with_replies)
    state = (await pages(first))[-1].state
    again = Window(NOVEMBER.start, NOVEMBER.end, state=state)
    await pages(same, again)

    def one_more(call: Call) -> Any:
        given = with_replies(call)
        if call.name == "commentThreads" and given:
            given["items"][0]["snippet"]["totalReplyCount"] = 7
        return given

    more = YouTube(one_more)
    await pages(more, again)

    assert (len(same.asked("comments")), len(more.asked("comments"))) == (0, 1)


async def test_that_replies_were_read_is_kept_with_the_page_that_holds_them() -> None:
    before, *_ = await pages(YouTube(published(threads(thread("a", "x", NEW)))))
    with_them, *_ = await pages(YouTube(with_replies))

    assert before.state is None
    assert with_them.state == {
        "threads": {"UgySample0000000007AaABAg": [6, "2026-11-11T05:00:00Z"]},
        "withheld": [],
    }


async def test_late_replies_are_read_when_their_thread_comes_by() -> None:
    late = thread("a", "x", OLD, comment("a.1", "Call 9000000701", NEW, parentId="a"))
    youtube = YouTube(published(threads(late, thread("b", "x", NEW))))

    assert ids(await pulled(youtube)) == ["a.1", "b"]


async def test_replies_of_old_threads_that_nobody_looked_at_are_not_asked_for() -> None:
    old = thread("a", "x", OLD, comment("a.1", "x", OLD, parentId="a"), count=40)
    youtube = YouTube(published(threads(old, thread("b", "x", NEW))))

    await pulled(youtube)

    assert youtube.asked("comments") == []


async def test_a_thread_that_goes_while_it_is_read_is_no_failure() -> None:
    def respond(call: Call) -> Any:
        return error("commentThreadNotFound", 404) if call.name == "comments" else with_replies(call)

    assert len(await pulled(YouTube(respond))) == 6


async def test_a_state_of_another_shape_is_forgotten() -> None:
    for state in (7, {"threads": {"a": "b", "c": [1]}, "withheld": 3}, {"threads": []}):
        youtube = YouTube(with_replies)
        await pages(youtube, Window(NOVEMBER.start, NOVEMBER.end, state=state))
        assert len(youtube.asked("comments")) == 1


async def test_the_state_stays_small() -> None:
    many = [
        thread(f"t{n}", "x", NEW, comment(f"t{n}.1", "x", day(1 + n % 28), parentId="t"), count=9) for n in range(700)
    ]
    youtube = YouTube(published(threads(*many)))

    state: Any = (await pages(youtube))[-1].state

    assert len(state["threads"]) == 500
    assert min(newest for _, newest in state["threads"].values()) > day(8)


# ---- titles ---------------------------------------------------------------------------------------------


async def test_titles_are_asked_for_leads_and_once() -> None:
    both = [sample("comment_threads_page1"), sample("comment_threads_page2_last")]
    access = grant(CHANNEL)

    def respond(call: Call) -> Any:
        if call.name == "commentThreads" and not call.is_held:
            return both[1] if "pageToken" in call.query else both[0]
        return sample("videos_titles") if call.name == "videos" else None

    youtube = YouTube(respond)
    records = [one for page in await pages(youtube, access=access) for one in page.records]
    await pages(youtube, access=access)

    (asked,) = youtube.asked("videos")
    titles = {
        record.external_id: record.value.get("video_title") for record in records if isinstance(record.value, dict)
    }
    (anil,) = [record for record in records if record.external_id == "UgySample0000000004AaABAg"]
    assert asked.query == {"part": "snippet", "id": "SampleVid01,SampleVid02"}
    assert titles["UgySample0000000004AaABAg"] == "Valve buying guide"
    assert anil.stands_for == {"campaign": "SampleVid02"}


async def test_leads_come_without_titles_where_youtube_does_not_tell_them() -> None:
    threads_only = published(threads(thread("a", "Call 9000000701", NEW)))
    youtube = YouTube(lambda call: refused("500 backendError") if call.name == "videos" else threads_only(call))

    (lead,) = await pulled(youtube)

    assert (lead.ignored, lead.stands_for) == (None, None)


@pytest.mark.parametrize("name", ["401 authError", "403 quotaExceeded"])
async def test_a_title_that_is_refused_like_all_else_ends_the_run(name: str) -> None:
    threads_only = published(threads(thread("a", "Call 9000000701", NEW)))
    youtube = YouTube(lambda call: refused(name) if call.name == "videos" else threads_only(call))

    with pytest.raises((TokenRefused, DailyLimitReached)):
        await pulled(youtube)


# ---- subscribers ----------------------------------------------------------------------------------------


def with_subscribers(call: Call) -> Any:
    if call.name != "subscriptions":
        return None
    return sample("subscriptions_recent_last" if "pageToken" in call.query else "subscriptions_recent_page1")


async def test_subscribers_are_read_only_where_they_are_wanted() -> None:
    unwanted, wanted = YouTube(with_subscribers), YouTube(with_subscribers)

    assert await pulled(unwanted) == []
    assert [record.ignored for record in await pulled(wanted, subscribers=True)] == ["interaction"] * 3

    assert unwanted.asked("subscriptions") == []
    assert wanted.asked("subscriptions")[0].query == {
        "part": "snippet,subscriberSnippet",
        "myRecentSubscribers": "true",
        "maxResults": "50",
    }


async def test_subscribers_are_read_until_what_was_read_before() -> None:
    youtube = YouTube(with_subscribers)
    window = Window(datetime(2026, 11, 12, 9, 30, tzinfo=UTC), NOVEMBER.end)

    assert len(await pulled(youtube, window, subscribers=True)) == 1
    later = YouTube(with_subscribers)
    assert await pulled(later, Window(NOVEMBER.end, NOVEMBER.end), subscribers=True) == []
    assert (len(youtube.asked("subscriptions")), len(later.asked("subscriptions"))) == (2, 1)


async def test_where_subscribers_are_withheld_comments_are_read_and_it_is_asked_once_a_day() -> None:
    def respond(call: Call) -> Any:
        return refused("403 subscriptionForbidden") if call.name == "subscriptions" else None

    first, second = YouTube(respond), YouTube(respond)
    found = await pages(first, subscribers=True)
    await pages(second, Window(NOVEMBER.start, NOVEMBER.end, state=found[-1].state), subscribers=True)

    assert found[-1].read_until == NOVEMBER.end
    assert (len(first.asked("subscriptions")), len(second.asked("subscriptions"))) == (1, 0)


# ---- channels -------------------------------------------------------------------------------------------


async def test_the_channel_of_the_account_can_be_chosen() -> None:
    youtube = YouTube()

    (found,) = await accounts(youtube, grant(), Settings())

    assert (found.id, found.name, found.kind, found.is_selectable) == (CHANNEL, "Sample Pumps", "channel", True)
    assert found.details == {
        "handle": "@samplepumps",
        "url": f"https://www.youtube.com/channel/{CHANNEL}",
        "subscribers": 1520,
        "videos": 41,
    }
    assert youtube.calls[0].query == {"part": "snippet,contentDetails,statistics", "mine": "true"}


async def test_an_account_without_a_channel_reaches_nothing() -> None:
    youtube = YouTube(lambda call: sample("channels_mine_empty"))

    assert await accounts(youtube, grant(), Settings()) == []
    with pytest.raises(CredentialsRefused, match="no YouTube channel"):
        await pages(youtube)
    with pytest.raises(CredentialsRefused, match="no YouTube channel"):
        await check(youtube, grant(), Settings())


async def test_another_channel_than_the_chosen_one_is_refused() -> None:
    with pytest.raises(CredentialsRefused, match="another YouTube channel"):
        await pages(YouTube(), access=grant("UCAnother"))


async def test_the_channel_is_checked_once_for_each_token() -> None:
    youtube, first = YouTube(), grant(CHANNEL)
    second = grant(CHANNEL, token="ya29.another")
    object.__setattr__(second, "memory", first.memory)

    for access in (first, first, second, second):
        await pages(youtube, access=access)

    assert len(youtube.asked("channels")) == 2


async def test_without_a_choice_the_channel_of_the_account_is_read() -> None:
    youtube = YouTube(published(threads(thread("a", "x", NEW))))

    assert len(await pages(youtube, access=grant())) == 2


# ---- rechecks -------------------------------------------------------------------------------------------


async def test_comments_that_are_gone_are_erased_and_others_are_read_as_they_are() -> None:
    youtube = YouTube(lambda call: listed("comment", comment("a", "x", NEW)))

    kept, gone = await rechecked(youtube, "a", "b", "subscription:1", "content:2")

    (asked,) = youtube.calls
    assert asked.query == {"part": "snippet", "id": "a,b", "textFormat": "plainText"}, "no length goes with ids"
    assert (kept.external_id, kept.is_erased, kept.ignored) == ("a", False, "interaction")
    assert (gone.external_id, gone.is_erased, gone.value) == ("b", True, {})


async def test_an_edit_that_adds_a_phone_makes_a_lead_and_is_told_its_video() -> None:
    def respond(call: Call) -> Any:
        if call.name == "comments":
            return listed("comment", comment("t.1", "Call 9000000701", OLD, parentId="t", updatedAt=NEW))
        if call.name == "commentThreads":
            return threads(thread("t", "x", OLD))
        return sample("videos_titles")

    youtube = YouTube(respond)
    (lead,) = await rechecked(youtube, "t.1")

    assert isinstance(lead.value, dict)
    assert (lead.ignored, lead.value["phone"], lead.value["video_title"]) == (None, "+919000000701", "Sample pump demo")
    assert lead.value["link"] == "https://www.youtube.com/watch?v=SampleVid01&lc=t.1"
    assert youtube.asked("commentThreads")[0].query["id"] == "t"


async def test_what_did_not_change_costs_no_more_than_its_reading() -> None:
    youtube = YouTube(lambda call: listed("comment", comment("a", "Call 9000000701", NEW)))

    await rechecked(youtube, *(f"c{n}" for n in range(120)))

    assert [call.name for call in youtube.calls] == ["comments"] * 3
    assert [len(call.query["id"].split(",")) for call in youtube.calls] == [50, 50, 20]


async def test_one_that_is_gone_and_refuses_the_others_is_found() -> None:
    def respond(call: Call) -> Any:
        wanted = call.query["id"].split(",")
        if "gone" in wanted:
            return error("commentNotFound", 404)
        return listed("comment", *(comment(one, "x", NEW) for one in wanted))

    records = await rechecked(YouTube(respond), "a", "b", "gone", "c")

    assert [record.is_erased for record in records] == [False, False, True, False]


@pytest.mark.parametrize("odd", [b"", {"items": []}, [], refused("500 backendError"), refused("403 forbidden")])
async def test_nothing_is_erased_because_of_an_answer_that_says_nothing(odd: Any) -> None:
    given = odd if isinstance(odd, Answer) else answer(odd)

    with pytest.raises(Problem):
        await rechecked(YouTube(lambda call: given), "a")


# ---- the test of a connection ---------------------------------------------------------------------------


async def test_a_connection_test_tells_the_channel_and_what_is_withheld() -> None:
    def respond(call: Call) -> Any:
        if call.is_held:
            return refused("403 forbidden")
        if call.name == "subscriptions":
            return refused("403 subscriptionForbidden")
        return threads(thread("a", "x", NEW)) if call.name == "commentThreads" else None

    good = await check(YouTube(), grant(CHANNEL), Settings())
    less = await check(YouTube(respond), grant(CHANNEL), Settings(subscribers=True))

    assert (good.is_ok, good.details["withheld"]) == (True, [])
    assert less.is_ok
    assert "held for review and who has subscribed" in less.message
    assert less.details["hasComments"] is True


# ---- refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("401 authError", TokenRefused, "Connect again"),
        ("403 insufficientPermissions", PermissionMissing, "youtube.force-ssl"),
        ("403 quotaExceeded", DailyLimitReached, "midnight Pacific"),
        ("403 rateLimitExceeded", ProviderLimited, "waits"),
        ("429 rateLimitExceeded", ProviderLimited, "waits"),
        ("403 forbidden", PermissionMissing, "brand account"),
        ("404 channelNotFound", CredentialsRefused, "channel is open"),
        ("403 accessNotConfigured", AppRefused, "enable the YouTube Data API v3"),
        ("400 processingFailure", ProviderUnavailable, ""),
        ("500 backendError", ProviderUnavailable, ""),
    ],
)
async def test_every_refusal_of_the_samples_says_what_happens_next(name: str, kind: type[Problem], told: str) -> None:
    given = refused(name)

    with pytest.raises(Problem) as problem:
        await pulled(YouTube(published(*[given] * 9)))

    assert type(problem.value) is kind or (kind is not CredentialsRefused and isinstance(problem.value, kind))
    assert told in f"{problem.value.detail} {problem.value.remedy}"
    assert ERRORS[name]["body"]["error"]["errors"][0]["reason"] in problem.value.detail
    assert "<a" not in problem.value.detail


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (error("dailyLimitExceeded"), DailyLimitReached),
        (error("userRateLimitExceeded"), ProviderLimited),
        (error("accountClosed"), CredentialsRefused),
        (error("accountSuspended"), CredentialsRefused),
        (error("authenticatedUserAccountClosed"), CredentialsRefused),
        (error("invalidParameter", 400), BadProviderRequest),
        (error("", 401), TokenRefused),
        (error("somethingNew", 403), PermissionMissing),
        (answer("<html>Not found</html>", 404), BadProviderRequest),
        (answer("busy", 503), ProviderUnavailable),
        (answer("", 429), ProviderLimited),
        (answer("", 302), ProviderUnavailable),
        (answer({"error": "invalid_token"}, 401), TokenRefused),
    ],
)
def test_other_refusals_have_a_meaning_too(given: Answer, kind: type[Problem]) -> None:
    assert type(problem_in(given)) is kind


def test_limits_say_how_long_to_wait() -> None:
    def seconds(given: Answer) -> int | None:
        problem = problem_in(given)
        return problem.retry_after_seconds if problem else None

    assert seconds(refused("403 rateLimitExceeded")) == 5
    assert seconds(refused("429 rateLimitExceeded")) == 60
    assert seconds(refused("429 rateLimitExceeded", retry_after="90")) == 90


def test_the_front_door_s_own_words_count_where_youtube_says_nothing() -> None:
    def front_door(status: int, reason: str, **metadata: str) -> Answer:
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "metadata": metadata}]
        said = {"code": status, "message": "m", "status": "PERMISSION_DENIED", "details": details}
        return answer({"error": said | {"errors": [{"reason": "forbidden"}]}}, status)

    assert type(problem_in(front_door(403, "SERVICE_DISABLED"))) is AppRefused
    assert type(problem_in(front_door(403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"))) is PermissionMissing
    assert type(problem_in(front_door(429, "RATE_LIMIT_EXCEEDED", quota_unit="1/min/{project}"))) is ProviderLimited
    assert type(problem_in(front_door(429, "RATE_LIMIT_EXCEEDED", quota_unit="1/d/{project}"))) is DailyLimitReached


def test_a_refusal_never_quotes_the_token() -> None:
    problem = problem_in(
        error("authError", 401, "Bad ya29.secret-token of app-secret"), "ya29.secret-token", "app-secret"
    )

    assert problem is not None
    assert "secret" not in problem.detail


async def test_what_could_not_be_processed_is_asked_a_few_times() -> None:
    failing = refused("400 processingFailure")
    youtube = YouTube(published(failing, failing, threads(thread("a", "x", NEW))))

    assert ids(await pulled(youtube)) == ["a"]
    with pytest.raises(ProviderUnavailable):
        await pulled(YouTube(published(*[failing] * 3)))


def test_the_quota_is_the_project_s_and_ends_at_midnight_in_california() -> None:
    summer, winter = datetime(2026, 7, 1, 12, tzinfo=UTC), datetime(2026, 12, 1, 12, tzinfo=UTC)

    assert (LIMITS.calls_per_day, LIMITS.units_per_day) == (10_000, 8_000)
    assert (LIMITS.day_ends(summer).hour, LIMITS.day_ends(winter).hour) == (7, 8)
    assert connector.limit_key is not None
    keys = [connector.limit_key(connector.credentials.model_validate({"clientId": one})) for one in ("a", "a", "b")]
    assert keys[0] == keys[1] != keys[2]
    assert connector.raw_days == 30
