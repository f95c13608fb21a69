"""WhatsApp through the real door: proofs, challenge, batches, numbers that belong to other connectors, always 200."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from connector_master.storage.ids import new_id
from tests.contracts.senders.whatsapp import APP_SECRET, sign
from tests.support.hub import ROOT, Hub, Reply, TestConnector, new_phone, until

SAMPLES = ROOT / "tests" / "samples" / "whatsapp"
VECTORS = json.loads((SAMPLES / "signature_vectors.json").read_bytes())


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_bytes())


def number_id() -> str:
    """A phone number id that no other test has: tests share a workspace, and numbers are found across it."""
    return str(new_id().int % 10**15)


def message(phone: str, text: str = "Price?", id_: str | None = None) -> dict[str, Any]:
    words = {"type": "text", "text": {"body": text}}
    return {"from": phone[1:], "id": id_ or f"wamid.{new_id()}", "timestamp": "1793436000"} | words


def change(number: str, *messages: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    metadata = {"display_phone_number": "919000000000", "phone_number_id": number}
    return {"field": "messages", "value": {"metadata": metadata, "messages": list(messages), **more}}


def body(*changes: Mapping[str, Any]) -> dict[str, Any]:
    return {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": list(changes)}]}


async def create(
    hub: Hub, number: str | None = None, secret: str | None = APP_SECRET, **settings: Any
) -> TestConnector:
    credentials = {"phoneNumberId": number, "appSecret": secret}
    given = {name: value for name, value in credentials.items() if value is not None}
    return await hub.create_connector("whatsapp", settings=settings, credentials=given)


async def send(hub: Hub, connector: TestConnector, payload: Any, secret: str = APP_SECRET) -> Reply:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return await hub.send(connector, raw, headers=sign(raw, secret))


async def events(hub: Hub, connector: TestConnector) -> list[dict[str, Any]]:
    """A connector's events, the oldest first."""
    found = (await hub.api("GET", f"/api/events?connectorId={connector.id}&limit=200")).json()["items"]
    return found[::-1]  # type: ignore[no-any-return]


def statuses(reply: Reply) -> list[str]:
    return [result["status"] for result in reply.body["results"]]


# ---- proofs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda one: one.get("note") or str(one["valid"]))
async def test_the_documented_signatures_at_the_door(hub: Hub, vector: Any) -> None:
    connector = await create(hub, secret=VECTORS["app_secret"], signature="optional")
    headers = {"X-Hub-Signature-256": vector["header"]} if vector["header"] else {}

    reply = await hub.send(connector, vector["raw_body"].encode(), headers=headers)

    assert reply.status_code == (200 if vector["valid"] else 401)
    assert len(await events(hub, connector)) == (1 if vector["valid"] else 0)


async def test_without_the_app_secret_pushes_wait_for_it_unless_the_settings_take_them(hub: Hub) -> None:
    strict, lenient = await create(hub, secret=None), await create(hub, secret=None, signature="optional")
    payload = body(change(number_id(), message(new_phone())))

    refused, taken = await send(hub, strict, payload), await send(hub, lenient, payload)
    await hub.api("PUT", f"/api/connectors/{strict.id}", {"credentials": {"appSecret": APP_SECRET}})
    await hub.api("PUT", f"/api/connectors/{lenient.id}", {"credentials": {"appSecret": APP_SECRET}})
    later = [await send(hub, strict, payload), await hub.send(lenient, payload)]

    assert (refused.status_code, taken.status_code) == (401, 200)
    assert [reply.status_code for reply in later] == [200, 401]


async def test_the_secret_of_the_app_is_never_shown_and_no_other_is_made(hub: Hub) -> None:
    connector = await create(hub, "123")

    shown = (await hub.api("GET", f"/api/connectors/{connector.id}")).text

    assert connector.secret is None
    assert connector.view["credentials"]["appSecret"] == {"set": True, "hint": "…cdef"}
    assert APP_SECRET not in shown
    assert connector.view["verifyToken"] not in shown


async def test_the_challenge_is_answered_to_this_connectors_token_alone(hub: Hub) -> None:
    connector, other = await create(hub), await create(hub)

    async def ask(token: str) -> Any:
        query = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}
        return await hub.client.get(connector.url, params=query)

    mine, others, none = await ask(connector.view["verifyToken"]), await ask(other.view["verifyToken"]), await ask("")

    assert (mine.status_code, mine.text) == (200, "1158201444")
    assert mine.headers["content-type"].startswith("text/plain")
    assert [(one.status_code, one.json()["code"]) for one in (others, none)] == [(403, "invalid_verify_token")] * 2


async def test_a_new_verify_token_counts_at_once_and_the_old_one_until_its_grace_ends(hub: Hub) -> None:
    connector = await create(hub)
    old, url = connector.view["verifyToken"], f"/api/connectors/{connector.id}/regenerate-secret"

    async def answers(token: str) -> bool:
        query = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1"}
        return (await hub.client.get(connector.url, params=query)).status_code == 200

    made = (await hub.api("POST", url, {"graceHours": 1})).json()
    within = [await answers(old), await answers(made["verifyToken"])]
    last = (await hub.api("POST", url, {"graceHours": 0})).json()["verifyToken"]

    assert set(made) == {"verifyToken", "previousSecretValidUntil"}
    assert within == [True, True]
    assert [await answers(token) for token in (old, made["verifyToken"], last)] == [False, False, True]


async def test_a_large_body_that_other_doors_refuse_is_taken(hub: Hub) -> None:
    connector = await create(hub)
    raw = json.dumps(body(change(number_id(), message(new_phone(), "x" * 3_000_000)))).encode()

    assert (await send(hub, connector, raw)).status_code == 200


# ---- leads and touches ------------------------------------------------------------------------------


async def test_a_batch_becomes_leads_touches_and_reasons_in_its_order(hub: Hub) -> None:
    a, b, number = new_phone(), new_phone(), number_id()
    connector = await create(hub, number)
    again = message(b, "other person")
    status = {"id": "wamid.OUT", "status": "read", "recipient_id": a[1:]}
    whole = change(number, message(a, "first"), again, message(a, "second"), again, statuses=[status])

    reply = await send(
        hub, connector, body(whole, {"field": "message_template_status_update", "value": {"event": "X"}})
    )

    assert reply.status_code == 200
    assert statuses(reply) == ["created", "created", "duplicate", "created", "ignored", "ignored"]
    assert reply.body["results"][3] == reply.body["results"][1] | {"repeated": True}
    assert [one["reason"] for one in reply.body["results"][4:]] == ["status_update", "template_status"]
    assert (reply.body["results"][2]["leadId"], len(await events(hub, connector))) == (
        reply.body["results"][0]["leadId"],
        5,
    )


async def test_what_one_person_writes_later_is_a_touch_on_the_timeline(hub: Hub) -> None:
    connector, phone = await create(hub), new_phone()
    ad = {"source_id": "120226", "source_type": "ad", "headline": "Diwali offer"}
    profile = [{"profile": {"name": "Asha"}, "wa_id": phone[1:]}]

    first = await send(hub, connector, body(change("1", message(phone) | {"referral": ad}, contacts=profile)))
    second = await send(hub, connector, body(change("1", message(phone, "Also 20 valves"))))
    lead = (await hub.api("GET", f"/api/leads/{first.lead_id}")).json()

    assert (first.status, second.status, second.lead_id) == ("created", "duplicate", first.lead_id)
    assert (lead["name"], lead["campaign"], lead["notes"], lead["timesSeen"]) == ("Asha", "Diwali offer", "Price?", 2)
    assert lead["attributes"]["referralSourceId"] == "120226"
    assert lead["source"] == "WhatsApp Business"


async def test_metas_repetition_after_a_lost_answer_changes_nothing(hub: Hub) -> None:
    connector = await create(hub)
    payload = body(change("1", message(new_phone()), message(new_phone())))

    first, again = await send(hub, connector, payload), await send(hub, connector, payload)

    assert statuses(again) == statuses(first)
    assert all(result["repeated"] for result in again.body["results"])
    assert len(await events(hub, connector)) == 2


async def test_a_message_that_can_be_no_lead_is_answered_200_and_kept_as_failed(hub: Hub) -> None:
    connector = await create(hub)
    raw = sample("username_only_no_phone")

    alone = await send(hub, connector, raw)
    hidden = message("+1") | {"from": None, "from_user_id": "IN.1"}
    among = await send(hub, connector, body(change("1", hidden, message(new_phone()))))

    assert (alone.status_code, alone.status, alone.body["code"]) == (200, "failed", "missing_phone")
    assert (among.status_code, statuses(among)) == (200, ["failed", "created"])
    kept = (await hub.api("GET", f"/api/events/{alone.event_id}")).json()
    assert "Hidden Number" in kept["payload"]


async def test_a_signed_body_that_nobody_understands_is_answered_200(hub: Hub) -> None:
    connector = await create(hub)

    replies = [await send(hub, connector, raw) for raw in (b"{", b"7", b"{}", b'{"object": "page"}')]

    assert [reply.status_code for reply in replies] == [200] * 4
    assert [reply.status for reply in replies] == ["failed", "failed", "ignored", "ignored"]
    assert len(await events(hub, connector)) == 4


async def test_a_paused_connector_keeps_messages_and_makes_leads_of_them_on_resume(hub: Hub) -> None:
    connector = await create(hub)
    await hub.api("POST", f"/api/connectors/{connector.id}/pause")

    reply = await send(hub, connector, body(change("1", message(new_phone()), message(new_phone()))))

    await hub.api("POST", f"/api/connectors/{connector.id}/resume")

    async def processed() -> bool:
        return [event["status"] for event in await events(hub, connector)] == ["created", "created"]

    assert statuses(reply) == ["received", "received"]
    assert await until(processed)


# ---- several numbers --------------------------------------------------------------------------------


async def test_each_number_goes_to_the_connector_that_has_it(hub: Hub) -> None:
    one, two = number_id(), number_id()
    first, second = await create(hub, one), await create(hub, two)
    phones = [new_phone() for _ in range(3)]

    mixed = await send(
        hub,
        first,
        body(
            change(one, message(phones[0])), change(two, message(phones[1]), statuses=[{"id": "x", "status": "sent"}])
        ),
    )
    alone = await send(hub, first, body(change(two, message(phones[2]))))

    assert statuses(mixed) == ["created", "created", "ignored"]
    assert (alone.status_code, alone.status) == (200, "created")
    assert [event["status"] for event in await events(hub, first)] == ["created"]
    assert [event["status"] for event in await events(hub, second)] == ["created", "ignored", "created"]
    lead = (await hub.api("GET", f"/api/leads/{alone.lead_id}")).json()
    assert lead["connectorId"] == second.id


async def test_a_number_that_nobody_has_is_answered_200_and_kept_as_unrouted(hub: Hub) -> None:
    connector = await create(hub, number_id())
    stranger = number_id()

    alone = await send(hub, connector, body(change(stranger, message(new_phone()))))
    among = await send(hub, connector, body(change(stranger, message(new_phone()), message(new_phone()))))
    lines = (await hub.api("GET", f"/api/connectors/{connector.id}/logs?kind=ignored")).json()["items"]

    assert (alone.status_code, alone.status, alone.body["reason"]) == (200, "ignored", "unrouted")
    assert [result["reason"] for result in among.body["results"]] == ["unrouted"] * 2
    assert [line["message"] for line in lines] == ["Ignored: unrouted"] * 3


async def test_the_dashboards_test_button_is_shown_as_a_test(hub: Hub) -> None:
    reply = await send(hub, await create(hub, number_id()), sample("dashboard_test_button"))

    assert (reply.status_code, reply.status, reply.body["reason"]) == (200, "ignored", "test")


async def test_a_connector_of_another_app_gets_nothing_from_this_one(hub: Hub) -> None:
    number = number_id()
    here, there = await create(hub, number_id()), await create(hub, number, secret="another app's secret")

    reply = await send(hub, here, body(change(number, message(new_phone()))))

    assert (reply.status, reply.body["reason"]) == ("ignored", "unrouted")
    assert await events(hub, there) == []


async def test_an_unsigned_push_can_not_reach_a_connector_that_wants_signatures(hub: Hub) -> None:
    number = number_id()
    lenient, strict = await create(hub, secret=None, signature="optional"), await create(hub, number)

    await hub.send(lenient, body(change(number, message(new_phone()))))

    assert await events(hub, strict) == []


async def test_a_connector_without_a_number_takes_what_no_other_has(hub: Hub) -> None:
    number = number_id()
    anyone, owner = await create(hub), await create(hub, number)

    reply = await send(
        hub, anyone, body(change(number, message(new_phone())), change(number_id(), message(new_phone())))
    )

    assert statuses(reply) == ["created", "created"]
    assert [len(await events(hub, one)) for one in (anyone, owner)] == [1, 1]


async def test_a_number_follows_its_connector_when_that_changes_or_goes(hub: Hub) -> None:
    number, first = number_id(), await create(hub, number_id())

    async def reason() -> str | None:
        reply = await send(hub, first, body(change(number, message(new_phone()))))
        found: str | None = reply.body.get("reason")
        return found

    nobody = await reason()
    owner = await create(hub, number)
    owned = await reason()
    await hub.api("PUT", f"/api/connectors/{owner.id}", {"credentials": {"phoneNumberId": number_id()}})
    moved = await reason()
    await hub.api("PUT", f"/api/connectors/{owner.id}", {"credentials": {"phoneNumberId": number}})
    back = await reason()
    await hub.api("DELETE", f"/api/connectors/{owner.id}")

    assert [nobody, owned, moved, back, await reason()] == ["unrouted", None, "unrouted", None, "unrouted"]
