"""The stand-in for Meta: what it sends is what the connector understands, and what it answers is what Meta answers."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from connector_master.connectors.connector import Check, Secrets
from connector_master.connectors.whatsapp import Credentials, Settings, connector, records, verify
from connector_master.model.event import Record
from connector_master.model.problem import (
    BadProviderRequest,
    CredentialsRefused,
    InvalidSignature,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
)
from connector_master.outbound.client import Answer
from connector_master.pipeline.mapping import compile_mapping
from connector_master.pipeline.process import process
from connector_master.sandbox.app import build
from connector_master.sandbox.whatsapp import WhatsApp
from connector_master.services.sources import profile_of
from tests.connectors.builders import push
from tests.support.hub import Hub, new_phone

CLOCK = datetime(2026, 10, 12, 10, 30, tzinfo=UTC)
SECRET = WhatsApp.settings["appSecret"]
CREDENTIALS = Credentials(
    access_token="sandbox-token",
    phone_number_id=WhatsApp.settings["phoneNumberId"],
    business_account_id=WhatsApp.settings["businessAccountId"],
    app_secret=SECRET,
)


class Meta:
    """The stand-in, and a client for it as the connector is handed one."""

    def __init__(self, hub: str = "http://hub.example") -> None:
        app = build(clock=lambda: CLOCK, hub=hub)
        self.world = app.state.world
        self.stand_in: WhatsApp = self.world.stand_ins["whatsapp"]
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://graph.example")

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        answer = await self.http.get(path, params=query, headers=headers)
        return Answer(answer.status_code, answer.content, answer.headers)

    async def post(self, path: str, query: Mapping[str, str] | None = None, **_: Any) -> Answer:
        answer = await self.http.post(path, params=query)
        return Answer(answer.status_code, answer.content, answer.headers)

    async def check(self, **changed: Any) -> Check:
        assert connector.test is not None
        return await connector.test(self, CREDENTIALS.model_copy(update=changed), Settings())

    def sent(self, **lead: str) -> httpx2.Request:
        request = self.stand_in.push_request(self.stand_in.add(fields=lead))
        assert request is not None
        return request

    def records(self, **lead: str) -> list[Record]:
        return list(records(json.loads(self.sent(**lead).content), push(), Settings()))


@pytest.fixture
async def meta() -> AsyncIterator[Meta]:
    made = Meta()
    made.stand_in.set["pushTo"] = "/callback"
    async with made.http:
        yield made
    await made.world.http.aclose()


async def test_it_signs_as_the_connector_checks(meta: Meta) -> None:
    sent = meta.sent(name="Aśā टेस्ट", message="http://a.b/ ₹")

    assert str(sent.url) == "http://hub.example/callback"
    assert sent.content.isascii()
    assert b"http:\\/\\/a.b" in sent.content
    assert (
        verify(push(sent.content, dict(sent.headers)), Secrets((SECRET,)), Settings()).scheme == "x-hub-signature-256"
    )


@pytest.mark.parametrize("fault", ["wrong_signature", "unsigned"])
async def test_its_bad_signatures_are_refused(meta: Meta, fault: str) -> None:
    meta.stand_in.switch(fault, True)
    sent = meta.sent()

    with pytest.raises(InvalidSignature):
        verify(push(sent.content, dict(sent.headers)), Secrets((SECRET,)), Settings())


@pytest.mark.parametrize("kind", ["text", "image", "audio", "ad", "button", "flow", "order"])
async def test_what_a_person_writes_becomes_a_lead_whatever_its_kind(meta: Meta, kind: str) -> None:
    (record,) = meta.records(messageType=kind, phone="+919000000123", name="Asha")

    draft = process(record.value, compile_mapping(connector.mapping), profile_of(connector, Settings()))

    assert (draft.phone_number, draft.name) == ("+919000000123", "Asha")
    assert draft.notes
    assert bool(draft.campaign) == (kind == "ad")


async def test_a_thousand_of_its_messages_are_leads_or_people_who_hide_their_number(meta: Meta) -> None:
    found = [record for _ in range(1_000) for record in meta.records()]
    hidden = [one for one in found if isinstance(one.value, dict) and "phone" not in one.value]

    assert {one.ignored for one in found} == {None}
    assert len({one.external_id for one in found}) == 1_000
    assert 0 < len(hidden) < 100


async def test_what_is_no_enquiry_comes_along(meta: Meta) -> None:
    assert [one.ignored for one in meta.records(messageType="status")] == ["status_update"]
    assert [one.ignored for one in meta.records(messageType="reaction")] == ["reaction"]
    batch = [one.ignored for one in meta.records(messageType="batch")]
    assert batch == [None, None, "status_update", "template_status"]
    meta.stand_in.switch("duplicates", True)
    twice = meta.records(messageType="text")
    assert len({one.external_id for one in twice}) == 1
    assert len(twice) == 2


async def test_a_good_connection_passes_the_test(meta: Meta) -> None:
    found = await meta.check()

    assert found.is_ok, found.message
    assert "Example Traders (+91 80000 00000)" in found.message


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("token_expired", CredentialsRefused),
        ("permission_missing", CredentialsRefused),
        ("rate_limit", ProviderLimited),
        ("restricted", BadProviderRequest),
        ("passing", ProviderUnavailable),
        ("html", ProviderUnavailable),
        ("broken", ProviderUnavailable),
        ("empty", ProviderUnavailable),
    ],
)
async def test_each_of_its_refusals_is_told_as_what_it_is(meta: Meta, fault: str, kind: type[Problem]) -> None:
    meta.stand_in.switch(fault, True)

    with pytest.raises(kind):
        await meta.check()


async def test_wrong_credentials_are_told_apart(meta: Meta) -> None:
    with pytest.raises(CredentialsRefused, match="refused the access token") as token:
        await meta.check(access_token="EAAwrong-token-of-somebody")
    with pytest.raises(CredentialsRefused, match="app secret"):
        await meta.check(app_secret="wrong")
    with pytest.raises(BadProviderRequest, match="no such id"):
        await meta.check(phone_number_id="1")
    account = await meta.check(business_account_id="1")

    assert "EAAwrong" not in token.value.detail
    assert not account.is_ok
    assert "no such id" in account.message


async def test_few_readable_fields_and_a_missing_subscription_are_noticed(meta: Meta) -> None:
    meta.stand_in.switch("few_fields", True)
    few = await meta.check()
    meta.stand_in.switch("unsubscribed", True)
    unsubscribed = await meta.check()
    nothing = meta.stand_in.push_request(meta.stand_in.add())
    await meta.http.post("/v25.0/102290129340398/subscribed_apps", headers={"Authorization": "Bearer sandbox"})

    assert (few.is_ok, unsubscribed.is_ok, (await meta.check()).is_ok) == (True, False, True)
    assert nothing is None


async def test_it_asks_the_callback_before_it_takes_it_and_then_sends_there(hub: Hub) -> None:
    meta = Meta(hub.address)
    made = await hub.create_connector("whatsapp", credentials={"appSecret": SECRET})

    async def subscribe(token: str) -> int:
        app = f"{meta.stand_in.set['appId']}|{SECRET}"
        form = {"object": "whatsapp_business_account", "callback_url": made.url, "verify_token": token}
        return (await meta.http.post("/v25.0/12345/subscriptions", data=form | {"access_token": app})).status_code

    refused, taken = await subscribe("wrong"), await subscribe(made.view["verifyToken"])
    # Tests share the hub, and samples have the same phones as the sandbox's people.
    written = [meta.stand_in.add(fields={"phone": new_phone()}) for _ in range(14)]
    statuses = [await meta.stand_in.push(entry) for entry in written]
    found = (await hub.api("GET", f"/api/events?connectorId={made.id}&limit=50")).json()["items"]
    await meta.http.aclose()
    await meta.world.http.aclose()

    assert (refused, taken) == (400, 200)
    assert statuses == [200] * 14
    assert {event["status"] for event in found} == {"created", "failed"}
    assert len(found) == 14
