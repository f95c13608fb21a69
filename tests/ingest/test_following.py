"""What a record adds to an event or lead from before: later texts, what was taken back, twins, makeshifts, announcements."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from connector_master.connectors.answers import answer
from connector_master.connectors.connector import Connector
from connector_master.connectors.forms import Form, LeadSettings
from connector_master.connectors.oauth import Grant
from connector_master.connectors.pulling import Page, Window
from connector_master.ingest.intake import Arrival, Intake
from connector_master.ingest.resolve import settle_fetched
from connector_master.ingest.retry import retry
from connector_master.ingest.source import Source
from connector_master.ingest.sync import pull
from connector_master.ingest.writer import Writer
from connector_master.model.event import Outcome, Record
from connector_master.model.json import Json
from connector_master.outbound.client import Client
from connector_master.pipeline.mapping import compile_mapping
from connector_master.pipeline.process import Profile
from connector_master.storage import events, syncs
from connector_master.storage.engine import conninfo
from connector_master.storage.events import EventFilter
from connector_master.storage.ids import new_id
from tests.support.hub import new_phone, until

AT = "2026-10-01T10:00:00Z"


async def no_pages(client: Client, access: Any, settings: Any, window: Window) -> AsyncIterator[Page]:
    yield Page((), window.end)


async def nothing(client: Client, grant: Grant, settings: Any, announcement: Json) -> Record:
    raise NotImplementedError


class Shop:
    """A source whose records are pushed and pulled as a test wants, beside others who do the same on the same database."""

    def __init__(self, engine: AsyncEngine, url: str) -> None:
        self.engine, self.url = engine, url
        self.connector = Connector(
            type="shop",
            title="Shop",
            summary="",
            auth="none",
            settings=LeadSettings,
            credentials=Form,
            mapping={
                "phone": "phoneNumber",
                "name": "name",
                "campaign": "campaign",
                "text": "notes",
                "at": "enquiredAt",
            },
            records=lambda body, push, settings: [],
            acknowledge=answer,
            pull=no_pages,
        )

    async def __aenter__(self) -> "Shop":
        self.writer = Writer(conninfo(self.url))
        self.intake = Intake(self.writer)
        self._running = asyncio.create_task(self.intake.run())
        id_ = new_id()
        async with self.engine.begin() as connection:
            workspace: UUID = (await connection.execute(text("SELECT id FROM workspaces"))).scalar_one()
            await connection.execute(
                text(
                    "INSERT INTO connectors (workspace_id, id, type, name, status) VALUES (:w, :id, 'shop', 'S', 'active')"
                ),
                {"w": workspace, "id": id_},
            )
        self.source = Source(
            workspace_id=workspace,
            connector_id=id_,
            webhook_id="",
            connector=self.connector,
            settings=LeadSettings(),
            secrets=(),
            verify_tokens=(),
            mapping=compile_mapping(self.connector.mapping),
            profile=Profile(source="Shop"),
            is_paused=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.intake.stop()
        await self._running
        await self.writer.close()

    def pause(self, is_paused: bool = True) -> None:
        self.source = replace(self.source, is_paused=is_paused)

    def resolves(self) -> None:
        """Let its pushes announce leads, which have to be fetched."""
        self.source = replace(self.source, connector=replace(self.connector, resolve=nothing))

    async def push(self, *records: Record, origin: str = "push") -> list[Outcome]:
        """Take records in as a push of a list does."""
        return await self.intake.take(self.source, records, Arrival(origin, body=b"[the whole body]"), is_list=True)

    async def take(self, way: str, *records: Record) -> None:
        """Take records in by the one way or the other."""
        if way == "push":
            await self.push(*records)
        else:
            await self.pull(*records)

    async def pull(self, *records: Record) -> syncs.Sync:
        """Run a sync that finds these records, and return it as it ended."""

        async def pages(client: Client, access: Any, settings: Any, window: Window) -> AsyncIterator[Page]:
            yield Page(records, window.end)

        source = replace(self.source, connector=replace(self.source.connector, pull=pages))
        workspace, token, now = self.source.workspace_id, new_id(), datetime.now(UTC)
        async with self.engine.begin() as connection:
            made = await syncs.add(
                connection,
                workspace,
                id_=new_id(),
                connector_id=self.source.connector_id,
                trigger="scheduled",
                from_at=now - timedelta(days=1),
                to_at=now,
            )
            sync = await syncs.begin(connection, workspace, made.id, token)
        assert sync is not None
        pulled = await pull(self.writer, source, Form(), None, self.connector.limits, sync, token)  # type: ignore[arg-type]
        assert pulled.status == "succeeded", pulled
        async with self.engine.begin() as connection:
            ended = await syncs.finish(connection, workspace, sync.id, token=token, status="succeeded")
        assert ended is not None
        return ended

    async def retry_all(self) -> None:
        """Process what is open, as a resume does."""
        async with self.engine.connect() as connection:
            found = await events.open_batch(connection, self.source.workspace_id, EventFilter(), limit=100)
        await retry(self.intake, self.writer, self.source, found, datetime.now(UTC))

    async def raw(self, id_: UUID) -> events.RawEvent:
        async with self.engine.connect() as connection:
            found = await events.get_raw(connection, self.source.workspace_id, id_)
        assert found is not None
        return found

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.engine.begin() as connection:
            found = await connection.execute(text(statement), values)
            return list(found) if found.returns_rows else []

    @asynccontextmanager
    async def held(self, statement: str) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
        """Hold what a statement locks; give what waits until so many others wait for a lock."""

        async def waiting(count: int) -> None:
            async def wait_for_locks() -> bool:
                found = await self.sql(
                    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
                )
                return len(found) >= count

            await until(wait_for_locks)

        async with self.engine.begin() as connection:
            await connection.execute(text(statement))
            yield waiting

    async def events(self) -> list[tuple[Any, ...]]:
        """Return id of the source, status and code of every event, oldest first."""
        rows = await self.sql("SELECT external_id, status, code FROM events ORDER BY id")
        return [tuple(row) for row in rows]

    async def leads(self) -> list[Any]:
        return await self.sql("SELECT * FROM leads ORDER BY id")


@pytest.fixture
async def shop(database: AsyncEngine, database_url: str) -> AsyncIterator[Shop]:
    async with Shop(database, database_url) as opened:
        yield opened


def comment(id_: str, version: str, **fields: Json) -> Record:
    """A comment that is an interaction unless it holds a phone number."""
    is_lead = "phone" in fields
    return Record(dict(fields), external_id=id_, version=version, ignored=None if is_lead else "interaction")


# ---- a later version --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["push", "pull"])
async def test_an_interaction_whose_later_text_holds_a_phone_becomes_a_lead(shop: Shop, way: str) -> None:
    phone = new_phone()
    (first,) = await shop.push(comment("c1", "1", text="How much?"))
    later = comment("c1", "2", text="Call me", phone=phone)

    if way == "push":
        (second,) = await shop.push(later)
        assert (second.event_id, second.status, second.repeated) == (first.event_id, "created", False)
    else:
        sync = await shop.pull(later)
        assert (sync.received, sync.created, sync.repeated) == (1, 1, 0)
    again = await shop.pull(later)

    assert await shop.events() == [("c1", "created", None)]
    assert [(lead.phone_number, lead.times_seen) for lead in await shop.leads()] == [(phone, 1)]
    raw = await shop.raw(first.event_id)
    assert (raw.payload, raw.resolved) == (b'{"text":"How much?"}', f'{{"text":"Call me","phone":"{phone}"}}'.encode())
    assert (again.created, again.repeated) == (0, 1)


async def test_an_interaction_whose_later_text_is_of_a_known_buyer_is_a_duplicate(shop: Shop) -> None:
    phone = new_phone()
    await shop.push(Record({"phone": phone}, external_id="other"))
    await shop.push(comment("c1", "1", text="Hello"))

    sync = await shop.pull(comment("c1", "2", phone=phone))

    assert sync.duplicates == 1
    assert await shop.events() == [("other", "created", None), ("c1", "duplicate", None)]
    assert [lead.times_seen for lead in await shop.leads()] == [2]


async def test_the_same_version_again_writes_nothing(shop: Shop) -> None:
    await shop.push(comment("c1", "1", text="Hello"), comment("c2", "1", phone=new_phone()))
    (before,) = await shop.sql("SELECT array_agg(xmin::text || ctid::text ORDER BY id) AS rows FROM events")

    sync = await shop.pull(comment("c1", "1", text="Hello"), comment("c2", "1", phone="+910000000000"))

    (after,) = await shop.sql("SELECT array_agg(xmin::text || ctid::text ORDER BY id) AS rows FROM events")
    assert sync.repeated == 2
    assert after == before


async def test_a_lead_whose_text_was_edited_stays_one_has_its_blanks_filled_and_notes_the_edit(shop: Shop) -> None:
    phone, other = new_phone(), new_phone()
    (first,) = await shop.push(comment("c1", "1", phone=phone, text="One pump"))

    sync = await shop.pull(comment("c1", "2", phone=other, text="Two pumps", name="Asha"))
    gone = await shop.pull(comment("c1", "3", text="No thanks"))

    (lead,) = await shop.leads()
    assert (lead.id, lead.phone_number, lead.name, lead.notes) == (first.lead_id, phone, "Asha", "One pump")
    assert (lead.times_seen, lead.attributes) == (1, {"otherPhones": [other]})
    assert await shop.events() == [("c1", "created", "edited")]
    assert (sync.repeated, gone.repeated) == (1, 1)
    assert (await shop.raw(first.event_id)).resolved == b'{"text":"No thanks"}'


async def test_a_further_phone_of_an_edited_lead_is_kept_once(shop: Shop) -> None:
    phone, other = new_phone(), new_phone()
    await shop.push(comment("c1", "1", phone=phone))

    for version in ("2", "3"):
        await shop.pull(comment("c1", version, phone=other))

    assert (await shop.leads())[0].attributes == {"otherPhones": [other]}


async def test_a_failed_event_is_settled_by_a_later_text_and_retried_with_it(shop: Shop) -> None:
    phone = new_phone()
    lead = Record({"phone": "none"}, external_id="c1", version="1")
    (failed,) = await shop.push(lead)
    assert failed.status == "failed"

    await shop.pull(replace(lead, value={"tel": phone}, version="2"))
    assert await shop.events() == [("c1", "failed", "missing_phone")]
    shop.source = replace(shop.source, mapping=compile_mapping({"tel": "phoneNumber"}))
    await shop.retry_all()

    assert await shop.events() == [("c1", "created", None)]
    assert (await shop.leads())[0].phone_number == phone


async def test_of_several_versions_in_one_page_the_last_counts(shop: Shop) -> None:
    phone = new_phone()
    sync = await shop.pull(
        *(comment("c1", str(n), text=f"text {n}") for n in range(3)), comment("c1", "3", phone=phone)
    )

    assert await shop.events() == [("c1", "created", None)]
    assert (sync.received, sync.created, sync.ignored, sync.repeated) == (4, 1, 1, 2)


async def test_a_later_text_that_comes_during_a_pause_is_processed_on_resume(shop: Shop) -> None:
    phone, known = new_phone(), new_phone()
    await shop.push(comment("c1", "1", text="Hello"), comment("c2", "1", phone=known))
    shop.pause()

    await shop.push(comment("c1", "2", phone=phone), comment("c2", "2", phone=known, name="Asha"))
    held = await shop.events()
    shop.pause(False)
    await shop.retry_all()
    await shop.pull(comment("c1", "2", phone=phone), comment("c2", "2", phone=known, name="Asha"))

    assert held == [("c1", "received", None), ("c2", "created", "edited")]
    assert await shop.events() == [("c1", "created", None), ("c2", "created", "edited")]
    assert [(lead.phone_number, lead.name, lead.times_seen) for lead in await shop.leads()] == [
        (known, "Asha", 1),
        (phone, None, 1),
    ]


async def test_the_same_later_version_by_push_and_pull_at_once_is_one_lead(shop: Shop, database_url: str) -> None:
    records = [comment(f"c{n}", "1", text="Hello") for n in range(20)]
    await shop.push(*records)
    later = [comment(f"c{n}", "2", phone=new_phone()) for n in range(20)]

    async with Shop(shop.engine, database_url) as other:
        other.source = shop.source
        _, *pushes = await asyncio.gather(shop.pull(*later), *(other.push(one) for one in reversed(later)))

    assert len(pushes) == 20
    assert await shop.events() == [(f"c{n}", "created", None) for n in range(20)]
    assert [lead.times_seen for lead in await shop.leads()] == [1] * 20


# ---- taken back -------------------------------------------------------------------------------------


def erased(id_: str) -> Record:
    return Record(None, external_id=id_, is_erased=True)


@pytest.mark.parametrize("way", ["push", "pull"])
async def test_what_its_author_took_back_is_removed_and_the_fact_stays(shop: Shop, way: str) -> None:
    (first,) = await shop.push(comment("c1", "1", text="Secret"))
    await shop.pull(comment("c1", "2", text="More secret"))

    await shop.take(way, erased("c1"))
    await shop.pull(comment("c1", "3", text="Still there", phone=new_phone()))

    assert await shop.events() == [("c1", "ignored", "erased")]
    raw = await shop.raw(first.event_id)
    assert (raw.payload, raw.body, raw.resolved, raw.headers) == (b"", None, None, None)
    assert await shop.leads() == []


async def test_a_lead_stays_when_its_record_was_taken_back_and_people_are_told(shop: Shop) -> None:
    phone = new_phone()
    (first,) = await shop.push(comment("c1", "1", phone=phone, text="Call me"))

    await shop.pull(erased("c1"))
    await shop.pull(erased("c1"))

    assert await shop.events() == [("c1", "created", "erased")]
    assert (await shop.raw(first.event_id)).payload == b""
    assert [(lead.phone_number, lead.times_seen) for lead in await shop.leads()] == [(phone, 1)]
    (line,) = await shop.sql("SELECT kind, level, lead_id, event_id FROM activity")
    assert tuple(line) == ("record_erased", "warning", first.lead_id, first.event_id)


async def test_the_body_in_which_it_came_with_others_goes_too_and_the_others_stay(shop: Shop) -> None:
    first, second = await shop.push(comment("c1", "1", text="One"), comment("c2", "1", text="Two"))
    assert (await shop.raw(first.event_id)).body == b"[the whole body]"

    await shop.push(erased("c2"))

    kept = await shop.raw(first.event_id)
    assert (kept.payload, kept.body) == (b'{"text":"One"}', None)
    assert (await shop.raw(second.event_id)).payload == b""


async def test_what_is_taken_back_before_it_came_never_becomes_a_lead(shop: Shop) -> None:
    (early,) = await shop.push(erased("c1"))
    (late,) = await shop.push(Record({"phone": new_phone()}, external_id="c1"))

    assert (early.status, early.reason) == ("ignored", "erased")
    assert (late.event_id, late.status, late.reason) == (early.event_id, "ignored", "erased")
    assert await shop.leads() == []


async def test_what_is_taken_back_while_a_later_text_of_it_comes_stays_removed(shop: Shop, database_url: str) -> None:
    await shop.push(comment("c1", "1", text="Hello"))

    async with Shop(shop.engine, database_url) as other:
        other.source = shop.source
        async with shop.held("SELECT FROM events FOR UPDATE") as waiting:
            both = [asyncio.create_task(other.push(erased("c1")))]
            await waiting(1)
            both.append(asyncio.create_task(shop.push(comment("c1", "2", phone=new_phone()))))
            await waiting(2)
        await asyncio.gather(*both)

    assert await shop.events() == [("c1", "ignored", "erased")]
    assert await shop.leads() == []


async def test_a_held_or_failed_event_that_is_taken_back_is_not_processed_any_more(shop: Shop) -> None:
    shop.pause()
    await shop.push(Record({"phone": new_phone()}, external_id="held"))
    await shop.push(erased("held"))
    shop.pause(False)
    await shop.push(Record({"phone": "x"}, external_id="failed"))
    await shop.push(erased("failed"))

    await shop.retry_all()

    assert await shop.events() == [("held", "ignored", "erased"), ("failed", "ignored", "erased")]
    assert await shop.leads() == []


async def test_a_waiting_announcement_that_is_taken_back_is_not_fetched(shop: Shop) -> None:
    shop.resolves()
    (announced,) = await shop.push(Record({"id": "a1"}, external_id="a1", is_announced=True))
    waiting = await shop.raw(announced.event_id)

    await shop.push(erased("a1"))
    # A fetch that was under way comes too late.
    fetched = {announced.event_id: Record({"phone": new_phone()}, external_id="a1")}
    await settle_fetched(shop.writer, shop.source, [waiting], fetched, datetime.now(UTC))

    assert await shop.events() == [("a1", "ignored", "erased")]
    assert await shop.sql("SELECT FROM events WHERE resolve_at IS NOT NULL") == []
    assert await shop.leads() == []


async def test_what_turns_out_to_be_gone_when_it_is_fetched_is_erased(shop: Shop) -> None:
    shop.resolves()
    (announced,) = await shop.push(Record({"id": "a1"}, external_id="a1", is_announced=True))
    waiting = await shop.raw(announced.event_id)

    await settle_fetched(shop.writer, shop.source, [waiting], {announced.event_id: erased("a1")}, datetime.now(UTC))

    assert await shop.events() == [("a1", "ignored", "erased")]
    assert (await shop.raw(announced.event_id)).payload == b""


# ---- announced, and then pulled ---------------------------------------------------------------------


async def test_a_pull_completes_what_still_waits_to_be_fetched(shop: Shop) -> None:
    shop.resolves()
    phone = new_phone()
    (announced,) = await shop.push(Record({"id": "a1"}, external_id="a1", is_announced=True))

    sync = await shop.pull(Record({"phone": phone}, external_id="a1"))
    again = await shop.pull(Record({"phone": phone}, external_id="a1"))

    assert (announced.status, sync.created, again.repeated) == ("received", 1, 1)
    assert await shop.events() == [("a1", "created", None)]
    assert await shop.sql("SELECT FROM events WHERE resolve_at IS NOT NULL") == []
    raw = await shop.raw(announced.event_id)
    assert (raw.payload, raw.resolved) == (b'{"id":"a1"}', f'{{"phone":"{phone}"}}'.encode())
    assert [(lead.phone_number, lead.times_seen) for lead in await shop.leads()] == [(phone, 1)]


async def test_a_pull_completes_what_was_given_up(shop: Shop) -> None:
    shop.resolves()
    await shop.push(Record({"id": "a1"}, external_id="a1", is_announced=True))
    await shop.sql("UPDATE events SET status = 'dead', code = 'lead_not_found', resolve_at = NULL")

    await shop.pull(Record({"phone": new_phone()}, external_id="a1"))

    assert await shop.events() == [("a1", "created", None)]


async def test_a_pull_and_a_fetch_at_once_count_a_lead_once(shop: Shop, database_url: str) -> None:
    shop.resolves()
    records = [Record({"phone": new_phone()}, external_id=f"a{n}") for n in range(20)]
    announced = await shop.push(
        *(Record({"id": one.external_id}, external_id=one.external_id, is_announced=True) for one in records)
    )
    waiting = [await shop.raw(one.event_id) for one in announced]
    fetched = {one.event_id: record for one, record in zip(announced, records, strict=True)}

    async with Shop(shop.engine, database_url) as other:
        await asyncio.gather(
            shop.pull(*reversed(records)),
            settle_fetched(other.writer, shop.source, waiting, fetched, datetime.now(UTC)),
        )

    assert {status for _, status, _ in await shop.events()} == {"created"}
    assert [lead.times_seen for lead in await shop.leads()] == [1] * 20


# ---- twins ------------------------------------------------------------------------------------------


def enquiry(id_: str, twin: str, phone: str, at: str = AT, **more: Json) -> Record:
    return Record({"phone": phone, "at": at, **more}, external_id=id_, twin=twin)


@pytest.mark.parametrize("first_way", ["push", "pull"])
async def test_one_enquiry_by_two_ways_under_two_ids_counts_once(shop: Shop, first_way: str) -> None:
    phone = new_phone()
    second_way = "pull" if first_way == "push" else "push"
    second = enquiry("l1", "t", phone, at="2026-10-01T10:04:00Z", name="Asha")

    await shop.take(first_way, enquiry("p1", "t", phone))
    await shop.take(second_way, second)
    await shop.take(second_way, second)

    assert await shop.events() == [("p1", "created", None), ("l1", "duplicate", "twin")]
    (lead,) = await shop.leads()
    assert (lead.times_seen, lead.name) == (1, "Asha")
    (touches,) = await shop.sql("SELECT count(*) AS n FROM events WHERE lead_id = :lead", lead=lead.id)
    assert touches.n == 2


async def test_a_third_record_and_one_that_is_too_late_are_no_twins(shop: Shop) -> None:
    phone = new_phone()
    await shop.push(enquiry("p1", "t", phone))

    await shop.pull(enquiry("l0", "t", phone, at="2026-10-01T10:05:01Z"))
    await shop.pull(enquiry("l1", "t", phone), enquiry("l2", "t", phone))
    await shop.pull(enquiry("l3", "t", phone))

    assert [(id_, code) for id_, _, code in await shop.events()] == [
        ("p1", None),
        ("l0", None),
        ("l1", "twin"),
        ("l2", None),
        ("l3", None),
    ]
    assert (await shop.leads())[0].times_seen == 4


async def test_two_records_of_one_way_are_no_twins(shop: Shop) -> None:
    phone = new_phone()
    await shop.push(enquiry("p1", "t", phone))
    await shop.push(enquiry("p2", "t", phone))

    assert (await shop.leads())[0].times_seen == 2


async def test_twins_that_are_stored_by_two_processes_at_once_count_once(shop: Shop, database_url: str) -> None:
    phone = new_phone()

    async with Shop(shop.engine, database_url) as other:
        other.source = shop.source
        # Both have looked for their twins, as far as they may, before either has stored anything.
        async with shop.held("LOCK TABLE events IN EXCLUSIVE MODE") as waiting:
            both = [asyncio.create_task(shop.push(enquiry("p1", "t", phone)))]
            await waiting(1)
            both.append(asyncio.create_task(other.push(enquiry("l1", "t", phone), origin="pull")))
            await waiting(2)
        await asyncio.gather(*both)

    assert sorted((status, code) for _, status, code in await shop.events()) == [
        ("created", None),
        ("duplicate", "twin"),
    ]
    assert (await shop.leads())[0].times_seen == 1


async def test_twins_that_were_both_held_count_once_on_resume(shop: Shop) -> None:
    phone = new_phone()
    shop.pause()
    await shop.push(enquiry("p1", "t", phone))
    await shop.pull(enquiry("l1", "t", phone))
    shop.pause(False)

    await shop.retry_all()

    assert await shop.events() == [("p1", "created", None), ("l1", "duplicate", "twin")]
    assert (await shop.leads())[0].times_seen == 1


# ---- makeshifts -------------------------------------------------------------------------------------


def named(id_: str, phone: str, **more: Any) -> Record:
    """A pulled lead: it knows the name of the campaign whose id the push had."""
    value: Json = {"phone": phone, "campaign": "Diwali", "at": AT, "name": "Asha"}
    return Record(value, external_id=id_, stands_for={"campaign": "2066"}, **more)


async def test_a_name_replaces_the_id_that_stood_for_it_when_the_same_record_is_pulled(shop: Shop) -> None:
    phone = new_phone()
    await shop.push(Record({"phone": phone, "campaign": "2066"}, external_id="p1"))

    first = await shop.pull(named("p1", phone))
    (before,) = await shop.sql("SELECT xmin::text FROM leads")
    await shop.pull(named("p1", phone))
    (after,) = await shop.sql("SELECT xmin::text FROM leads")

    (lead,) = await shop.leads()
    assert (lead.campaign, lead.name, lead.times_seen) == ("Diwali", "Asha", 1)
    assert (first.repeated, before) == (1, after)
    assert await shop.events() == [("p1", "created", None)]


async def test_what_is_no_makeshift_any_more_is_left_alone(shop: Shop) -> None:
    phone = new_phone()
    await shop.push(Record({"phone": phone, "campaign": "Holi"}, external_id="p1"))

    await shop.pull(named("p1", phone))
    await shop.pull(named("l2", phone))

    assert (await shop.leads())[0].campaign == "Holi"


@pytest.mark.parametrize("twin", [None, "t"])
async def test_another_record_of_the_lead_replaces_its_makeshift_too(shop: Shop, twin: str | None) -> None:
    phone = new_phone()
    await shop.push(Record({"phone": phone, "campaign": "2066", "at": AT}, external_id="p1", twin=twin))

    await shop.pull(named("l1", phone, twin=twin))

    (lead,) = await shop.leads()
    assert (lead.campaign, lead.times_seen) == ("Diwali", 1 if twin else 2)


async def test_many_records_of_one_lead_in_a_page_replace_each_its_own(shop: Shop) -> None:
    phone = new_phone()
    await shop.push(Record({"phone": phone, "campaign": "77"}, external_id="p1"))
    others = [replace(named(f"l{n}", phone), stands_for={"campaign": str(n)}) for n in range(3)]
    own = Record({"phone": phone, "campaign": "Own"}, external_id="l9", stands_for={"campaign": "77"})

    await shop.pull(*others, own)

    assert (await shop.leads())[0].campaign == "Own"


async def test_a_record_that_cannot_be_stored_spoils_no_neighbour_that_is_followed(shop: Shop) -> None:
    phone = new_phone()
    await shop.push(comment("c1", "1", text="Hello"))

    await shop.pull(comment("c1", "2", phone=phone), Record({"phone": new_phone()}, external_id="bad", version="\x00"))

    assert [status for _, status, _ in await shop.events()] == ["created", "failed"]
