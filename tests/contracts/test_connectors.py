"""What holds for every connector in the registry, through the real door. Each adds its oddities in tests/connectors/."""

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from connector_master.connectors import registry
from connector_master.storage.ids import new_id
from tests.contracts.senders import Sender, sender_of
from tests.support.hub import ROOT, Hub, Reply, TestConnector, new_phone

TYPES = list(registry())
PUSHED = [type_ for type_, connector in registry().items() if connector.pushes]
GIVEN_A_SECRET = [
    type_ for type_, connector in registry().items() if connector.verify is not None and connector.makes_secret
]
SIGNED = [type_ for type_, connector in registry().items() if connector.pushes and connector.verify is not None]
SIGNED_OVER_BYTES = [type_ for type_ in SIGNED if registry()[type_].conceal is None]
"""All but those whose proof lies in the body: their sender may write it anew."""
UNSIGNED = [type_ for type_, connector in registry().items() if connector.pushes and connector.verify is None]

pushed = pytest.mark.parametrize("type_", PUSHED)
sent_whole = pytest.mark.parametrize("type_", [type_ for type_ in PUSHED if registry()[type_].resolve is None])
"""Types whose pushes hold the enquiry itself; others name a lead, and tests/journeys shows how it is fetched."""
signed = pytest.mark.parametrize("type_", SIGNED)


def encoded(payload: Any) -> bytes:
    return json.dumps(payload, ensure_ascii=False).encode()


class Sending:
    """A connector of a type, and its sender."""

    def __init__(self, hub: Hub, connector: TestConnector, sender: Sender) -> None:
        self.hub, self.connector, self.sender = hub, connector, sender
        self.secret = sender.secret or connector.secret

    async def enquiry(self, phone: str | None, id_: str | None = None) -> Reply:
        id_ = id_ or str(new_id())
        payload, headers = self.sender.enquiry(phone, id_)
        return await self.body(encoded(payload), headers, id_=id_)

    async def body(
        self, body: bytes, headers: dict[str, str] | None = None, secret: str | None = None, id_: str | None = None
    ) -> Reply:
        """Send `body`, signed with `secret` or the connector's own."""
        proven, proof = self.proven(body, secret or self.secret)
        known = set() if self.sender.prove is None else {event["id"] for event in await self.events()}
        reply = await self.hub.send(self.connector, proven, headers=(headers or {}) | proof)
        return await self._told(reply, known, id_) if reply.body == {} else reply

    async def unsigned(self, body: bytes, headers: dict[str, str] | None = None) -> Reply:
        return await self.hub.send(self.connector, body, headers=headers)

    def proven(self, body: bytes, secret: str | None) -> tuple[bytes, dict[str, str]]:
        """Return a body and the headers that prove that it is the sender's."""
        if not secret:
            return body, {}
        if self.sender.prove is not None:
            return self.sender.prove(body, secret), {}
        return body, self.sender.sign(body, secret) if self.sender.sign else {}

    def forged(self, body: bytes) -> list[tuple[bytes, dict[str, str]]]:
        """Return bodies and headers whose proof is wrong, each in another way."""
        if self.sender.prove is not None:
            return [self.proven(body, "another"), self.proven(body, " "), self.proven(body, "\xe9"), (body, {})]
        assert self.sender.sign
        named = self.sender.sign(body, "x")
        return [
            self.proven(body, "another"),
            (body, dict.fromkeys(named, "")),
            (body, dict.fromkeys(named, "\xe9".encode("latin-1"))),  # type: ignore[arg-type]
            (body, self.sender.sign(body + b" ", self.secret or "")),
        ]

    async def event(self, reply: Reply) -> dict[str, Any]:
        answer = await self.hub.api("GET", f"/api/events/{reply.event_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def events(self) -> list[dict[str, Any]]:
        found = await self.hub.api("GET", f"/api/events?connectorId={self.connector.id}&limit=200")
        items: list[dict[str, Any]] = found.json()["items"]
        return items

    async def count(self) -> int:
        return len(await self.events())

    async def _told(self, reply: Reply, known: set[str], id_: str | None) -> Reply:
        """Return the answer in API.md's words, read from the events, for a provider that is told nothing but 200."""
        events = await self.events()
        mine = [event for event in events if id_ is not None and event["externalId"] == id_]
        mine = mine or [event for event in events if event["id"] not in known]
        results = [
            _as_result(event, event["id"] in known) for event in sorted(mine, key=lambda one: one["position"] or 0)
        ]
        counts = Counter(result["status"] for result in results)
        several = {"status": "processed", "created": counts["created"], "duplicates": counts["duplicate"]}
        several |= {"failed": counts["failed"], "results": results}
        body = results[0] if len(results) == 1 else several
        return Reply(reply.status_code, body, reply.headers)


def _as_result(event: dict[str, Any], is_repeated: bool) -> dict[str, Any]:
    told = {"status": event["status"], "leadId": event["leadId"], "eventId": event["id"], "reason": event["reason"]}
    if event["status"] == "failed":
        told["code"] = event["code"]
    if is_repeated:
        told["repeated"] = True
    return {name: value for name, value in told.items() if value is not None}


async def sending(hub: Hub, type_: str, *, strict: bool = False, **settings: Any) -> Sending:
    sender = sender_of(type_)
    settings = (dict(sender.strict) if strict else {}) | settings
    made = await hub.create_connector(type_, settings=settings, credentials=dict(sender.credentials))
    return Sending(hub, made, sender)


def outcome(reply: Reply) -> tuple[str | None, str | None]:
    """The status of the only record in an answer, and the code of its problem."""
    body = reply.body
    return ("failed" if "code" in body else reply.status, body.get("code"))


# ---- what comes with a connector --------------------------------------------------------------------


@pytest.mark.parametrize("type_", TYPES)
def test_a_connector_comes_with_tests_samples_and_a_page(type_: str) -> None:
    wanted = [ROOT / f"tests/connectors/test_{type_}.py", ROOT / f"docs/connectors/{type_}.md"]
    missing = [str(path.relative_to(ROOT)) for path in wanted if not path.is_file()]
    samples = ROOT / f"tests/samples/{type_}"
    if not samples.is_dir() or not any(samples.iterdir()):
        missing.append(str(samples.relative_to(ROOT)))

    assert not missing


@pushed
def test_a_connector_that_is_pushed_has_a_sender_here(type_: str) -> None:
    sender = sender_of(type_)

    assert (sender.sign is None and sender.prove is None) == registry()[type_].unsigned_by_nature


@pytest.mark.parametrize("type_", TYPES)
def test_a_form_labels_and_explains_each_field(type_: str) -> None:
    connector = registry()[type_]
    bare = [
        f"{form.__name__}.{name}"
        for form in (connector.settings, connector.credentials)
        for name, field in form.model_fields.items()
        if not field.title or not field.description
    ]

    assert not bare
    assert connector.title
    assert connector.summary.endswith(".")


@pytest.mark.parametrize("type_", UNSIGNED)
async def test_a_type_without_verification_declares_it(hub: Hub, type_: str) -> None:
    connector = registry()[type_]
    made = await hub.create_connector(type_)
    (shown,) = [one for one in (await hub.api("GET", "/api/connector-types")).json()["items"] if one["type"] == type_]
    refused = await hub.api("POST", f"/api/connectors/{made.id}/regenerate-secret", {})

    assert connector.unsigned_by_nature
    assert (connector.auth, shown["auth"]) == ("none", "none")
    assert made.secret is None
    assert (refused.status_code, refused.json()["code"]) == (409, "no_secret")


@pytest.mark.parametrize("type_", SIGNED)
def test_a_type_that_verifies_does_not_call_itself_unsigned(type_: str) -> None:
    assert not registry()[type_].unsigned_by_nature


# ---- signatures -------------------------------------------------------------------------------------


@signed
async def test_a_signed_push_is_taken_where_signatures_are_required(hub: Hub, type_: str) -> None:
    sends = await sending(hub, type_, strict=True)

    reply = await sends.enquiry(new_phone())

    expected = "created" if registry()[type_].resolve is None else "received"
    assert (reply.status_code, reply.status) == (200, expected)


@signed
async def test_an_unsigned_push_is_refused_where_signatures_are_required(hub: Hub, type_: str) -> None:
    sends = await sending(hub, type_, strict=True)
    payload, headers = sends.sender.enquiry(new_phone(), str(new_id()))

    reply = await sends.unsigned(encoded(payload), headers)

    assert (reply.status_code, reply.body["code"]) == (401, "invalid_signature")
    assert "eventId" not in reply.body
    assert await sends.count() == 0


@signed
@pytest.mark.parametrize("strict", [True, False])
async def test_a_wrong_signature_is_refused_and_kept_in_the_log(hub: Hub, type_: str, strict: bool) -> None:
    sends = await sending(hub, type_, strict=strict)
    payload, headers = sends.sender.enquiry(new_phone(), str(new_id()))
    body = encoded(payload)

    replies = [await sends.unsigned(forged, headers | proof) for forged, proof in sends.forged(body)]
    lines = (await hub.api("GET", f"/api/connectors/{sends.connector.id}/logs?kind=signature_refused")).json()["items"]

    assert {reply.status_code for reply in replies} == {401}
    assert len({json.dumps(reply.body) for reply in replies}) == 1
    assert await sends.count() == 0
    assert sum((line["data"] or {"attempts": 1})["attempts"] for line in lines) == len(replies)
    assert {(line["level"], line["ip"], line["actorKind"]) for line in lines} == {("warning", "127.0.0.1", "stranger")}


@pytest.mark.parametrize("type_", SIGNED_OVER_BYTES)
async def test_a_body_written_anew_after_signing_is_refused(hub: Hub, type_: str) -> None:
    sends = await sending(hub, type_, strict=True)
    payload, headers = sends.sender.enquiry(new_phone(), str(new_id()))
    assert sends.sender.sign
    proof = sends.sender.sign(encoded(payload), sends.secret or "")

    compact = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    escaped = json.dumps(payload, ensure_ascii=True).encode()
    replies = [await sends.unsigned(body, headers | proof) for body in (compact, escaped, compact + b"\n")]
    as_signed = await sends.unsigned(encoded(payload), headers | proof)

    assert [reply.status_code for reply in replies if reply] == [401, 401, 401]
    assert as_signed.status_code == 200


@pytest.mark.parametrize("type_", GIVEN_A_SECRET)
async def test_both_secrets_count_until_the_grace_ends(hub: Hub, type_: str) -> None:
    sends = await sending(hub, type_, strict=True)
    url = f"/api/connectors/{sends.connector.id}/regenerate-secret"
    payloads = [sends.sender.enquiry(new_phone(), str(new_id())) for _ in range(5)]

    second = (await hub.api("POST", url, {"graceHours": 2})).json()["webhookSecret"]
    third = (await hub.api("POST", url, {"graceHours": 1})).json()["webhookSecret"]
    within = [
        (await sends.body(encoded(payload), headers, secret=secret)).status_code
        for (payload, headers), secret in zip(payloads, (None, second, third), strict=False)
    ]
    answer = (await hub.api("POST", url, {"graceHours": 0})).json()
    payload, headers = payloads[3]
    ended = [
        (await sends.body(encoded(payload), headers, secret=secret)).status_code for secret in (None, second, third)
    ]
    last = await sends.body(encoded(payload), headers, secret=answer["webhookSecret"])

    assert within == [200, 200, 200]
    assert ended == [401, 401, 401], "no grace means none, for the older ones either"
    assert last.status_code == 200


@signed
async def test_what_identifies_a_secret_can_not_sign(hub: Hub, type_: str) -> None:
    sends = await sending(hub, type_, strict=True)
    shown = (await hub.api("GET", f"/api/connectors/{sends.connector.id}")).json()
    signs_with = registry()[type_].signs_with
    # Where the provider's own secret signs, its last characters are all that is shown.
    identifier = shown["webhookSecretFingerprint"] or shown["credentials"][signs_with]["hint"]
    payload, headers = sends.sender.enquiry(new_phone(), str(new_id()))

    reply = await sends.body(encoded(payload), headers, secret=identifier)

    assert reply.status_code == 401


# ---- outcomes ---------------------------------------------------------------------------------------


@sent_whole
async def test_an_enquiry_becomes_a_lead_and_its_bytes_are_kept(hub: Hub, type_: str) -> None:
    sends, phone = await sending(hub, type_), new_phone()
    payload, headers = sends.sender.enquiry(phone, str(new_id()))
    body = encoded(payload)

    reply = await sends.body(body, headers)
    lead = (await hub.api("GET", f"/api/leads/{reply.lead_id}")).json()
    event = await sends.event(reply)

    assert (reply.status_code, reply.status) == (200, "created")
    assert (lead["phoneNumber"], lead["connectorId"], lead["timesSeen"]) == (phone, sends.connector.id, 1)
    # As it was before a proof was put into it: a secret is never kept.
    assert (event["payload"].encode(), event["status"], event["ip"]) == (body, "created", "127.0.0.1")


@sent_whole
async def test_a_known_person_is_a_duplicate_with_the_same_lead(hub: Hub, type_: str) -> None:
    sends, phone = await sending(hub, type_), new_phone()

    first = await sends.enquiry(phone)
    second = await sends.enquiry(phone)

    assert (second.status_code, second.status, second.lead_id) == (200, "duplicate", first.lead_id)
    assert second.event_id != first.event_id


@sent_whole
async def test_many_at_once_make_one_lead(hub: Hub, type_: str) -> None:
    sends, phone = await sending(hub, type_), new_phone()

    replies = await asyncio.gather(*(sends.enquiry(phone) for _ in range(20)))

    assert sorted(reply.status or "" for reply in replies) == ["created", *["duplicate"] * 19]
    assert len({reply.lead_id for reply in replies}) == 1


@sent_whole
async def test_the_same_event_again_gets_the_first_answer(hub: Hub, type_: str) -> None:
    sends, phone, id_ = await sending(hub, type_), new_phone(), str(new_id())

    first = await sends.enquiry(phone, id_)
    again = await sends.enquiry(phone, id_)
    lead = (await hub.api("GET", f"/api/leads/{first.lead_id}")).json()

    assert again.body == first.body | {"repeated": True}
    assert (lead["timesSeen"], await sends.count()) == (1, 1)


@sent_whole
async def test_an_enquiry_without_a_phone_is_kept_as_failed(hub: Hub, type_: str) -> None:
    sends = await sending(hub, type_)

    reply = await sends.enquiry(None)
    event = await sends.event(reply)

    # A provider that wants 200 for all that was stored gets it; the body tells.
    assert reply.status_code in (200, 400)
    assert outcome(reply) == ("failed", "missing_phone")
    assert (event["status"], event["code"]) == ("failed", "missing_phone")
    assert event["remedy"]


@pushed
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe\x00\x01", b"12", b'"text"', b"null", b'{"a": NaN}', b"[" * 100_000, b'{"a": 1} x'],
    ids=["empty", "cut", "binary", "number", "text", "null", "nan", "deep", "tail"],
)
async def test_a_broken_body_is_a_problem_and_kept(hub: Hub, type_: str, body: bytes) -> None:
    sends = await sending(hub, type_)

    reply = await sends.body(body)

    assert reply.status_code in (200, 400)
    assert outcome(reply)[1] in ("invalid_body", "invalid_record")
    if sends.sender.prove is not None:
        assert await sends.count() == 0, "nothing proves whose it is"
        return
    event = await sends.event(reply)
    assert event["status"] == "failed"
    assert event["payloadBytes"] == len(body)


@sent_whole
async def test_each_record_of_a_list_has_its_own_result(hub: Hub, type_: str) -> None:
    sends = await sending(hub, type_)
    one, two = new_phone(), new_phone()
    payloads = [sends.sender.enquiry(phone, str(new_id()))[0] for phone in (one, None, two, one)]

    reply = await sends.body(encoded(payloads))

    assert (reply.status_code, reply.status) == (200, "processed")
    assert [result["status"] for result in reply.body["results"]] == ["created", "failed", "created", "duplicate"]
    assert (reply.body["created"], reply.body["duplicates"], reply.body["failed"]) == (2, 1, 1)
    assert reply.body["results"][3]["leadId"] == reply.body["results"][0]["leadId"]


@pushed
async def test_what_the_door_does_not_read_is_refused(hub: Hub, type_: str) -> None:
    sends = await sending(hub, type_)
    payload, _ = sends.sender.enquiry(new_phone(), str(new_id()))
    body = encoded(payload)
    xml = await sends.body(body, {"Content-Type": "application/xml"})
    zipped = await sends.body(body, {"Content-Encoding": "gzip"})
    large = await hub.send(sends.connector, b'"' + b"a" * (6 * 1024 * 1024) + b'"')

    assert [(one.status_code, one.body["code"]) for one in (xml, zipped)] == [(415, "unsupported_media_type")] * 2
    assert (large.status_code, large.body["code"]) == (413, "body_too_large")
    assert await sends.count() == 0


@pushed
async def test_an_unknown_address_is_404_whatever_is_sent(hub: Hub, type_: str) -> None:
    sends = await sending(hub, type_)
    place, _, webhook_id = sends.connector.url.rpartition("/")
    near = webhook_id[:-1] + ("A" if webhook_id[-1] != "A" else "B")
    unknown = [f"{place}/{near}", f"{place}/{webhook_id}/x", f"{place}/", f"{place}/{webhook_id[:-1]}", place]
    unknown += [f"/api/connectors/{other}/{webhook_id}" for other in PUSHED if other != type_]

    answers = [await hub.client.post(path, json={"phone": new_phone()}) for path in unknown]

    assert [answer.status_code for answer in answers[:-1]] == [404] * (len(unknown) - 1)
    assert {answer.json()["code"] for answer in answers[:4]} == {"connector_not_found"}


@pushed
async def test_a_deleted_connector_is_404_at_once(hub: Hub, type_: str) -> None:
    sends = await sending(hub, type_)
    before = await sends.enquiry(new_phone())

    deleted = await hub.api("DELETE", f"/api/connectors/{sends.connector.id}")
    after = await sends.enquiry(new_phone())

    assert (before.status_code, deleted.status_code) == (200, 204)
    assert (after.status_code, after.body["code"]) == (404, "connector_not_found")
    if registry()[type_].resolve is None:
        assert (await hub.api("GET", f"/api/leads/{before.lead_id}")).status_code == 200
    assert (await hub.api("GET", f"/api/events/{before.event_id}")).status_code == 200


@pushed
async def test_other_methods_at_the_door_are_refused(hub: Hub, type_: str) -> None:
    sends = await sending(hub, type_)
    takes = {"GET"} if registry()[type_].challenge else set()

    answers = {
        method: await hub.client.request(method, sends.connector.url)
        for method in {"GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"} - takes
    }

    assert {method: answer.status_code for method, answer in answers.items()} == dict.fromkeys(answers, 405)
    assert {answer.headers["allow"] for answer in answers.values()} <= {"POST", "GET, POST"}


@pushed
async def test_more_than_the_limit_is_429_with_a_time_to_wait(hub: Hub, type_: str) -> None:
    sends = await sending(hub, type_, rateLimitPerMinute=3)

    replies = [await sends.enquiry(new_phone()) for _ in range(5)]

    assert [reply.status_code for reply in replies] == [200, 200, 200, 429, 429]
    assert 1 <= int(replies[3].headers["retry-after"]) <= 60
    assert replies[3].body["code"] == "rate_limited"
    assert await sends.count() == 3
