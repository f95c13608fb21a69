"""Bad input gets a clear problem, never a 500, a hang or a stack trace, and nothing of it is lost (issue 3)."""

import asyncio
import json
from typing import Any

import pytest

from tests.journeys.rows import Rows
from tests.support.hub import Hub, Reply, new_phone
from tests.support.wire import Wire, post

MEGABYTE = 1024 * 1024


def refused_clearly(reply: Reply) -> bool:
    """Whether the answer is a problem that says what to do, without a word of how we are built."""
    body = reply.body
    return (
        400 <= reply.status_code < 500
        and reply.headers["content-type"] == "application/problem+json"
        and body["status"] == reply.status_code
        and all(isinstance(body[name], str) and body[name] for name in ("title", "detail", "code", "remedy"))
        and not any(word in json.dumps(body) for word in ("Traceback", "File \\", "psycopg", "orjson", "Error("))
    )


# ---- bodies that can't be read ----------------------------------------------------------------------

UNREADABLE = {
    "100,000 brackets": b"[" * 100_000,
    "100,000 closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"a":' * 100_000,
    "65 levels": b'{"phone": "+919876543210", "a": ' + b"[" * 65 + b"]" * 65 + b"}",
    "100,000 levels in text": json.dumps("[" * 100_000).encode(),
    "nothing": b"",
    "blanks": b" \r\n\t ",
    "a byte order mark alone": b"\xef\xbb\xbf",
    "a NUL": b"\x00",
    "random bytes": bytes(range(256)) * 10,
    "broken UTF-8": b'{"phone": "\xff\xfe\xfd"}',
    "half of UTF-16": '{"phone": 1}'.encode("utf-16")[:-1],
    "two values": b'{"phone": 1}{"phone": 2}',
    "a comma too many": b'{"phone": "+919876543210",}',
    "single quotes": b"{'phone': '+919876543210'}",
    "NaN": b'{"phone": NaN}',
    "infinity": b'{"phone": -Infinity}',
    "a comment": b'{"phone": 1} // mine',
    "a key of 10,000 characters": b'{"' + b"k" * 10_000 + b'": 1}',
    "300,001 values": b"[" + b"0," * 300_000 + b"0]",
    "20,001 records": b"[" + b"{}," * 20_000 + b"{}]",
    "ends in the middle": b'{"phone": "+9198765',
}


@pytest.mark.parametrize("what", UNREADABLE)
async def test_an_unreadable_body_is_refused_clearly_and_kept_byte_for_byte(what: str, hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    body = UNREADABLE[what]

    reply = await hub.send(connector, body)

    assert refused_clearly(reply)
    assert (reply.status_code, reply.body["code"]) == (400, "invalid_body")
    (event,) = await rows.events(connector)
    assert (str(event["id"]), event["status"], event["payload"]) == (reply.event_id, "failed", body)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % number for number in range(5_001))),
        ("application/x-www-form-urlencoded", b"a" + b"[b]" * 10_000 + b"=1"),
        ("application/x-www-form-urlencoded", b"k" * 10_000 + b"=1"),
        ("application/x-www-form-urlencoded", b""),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n" * 2_000),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="phone"\r\n\r\n1'),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 1_000 + b"\r\n1\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nA: " + b"b" * 100_000 + b"\r\n\r\n1\r\n--x--\r\n"),
        ("application/x-ndjson", b"[" * 100_000),
        ("application/x-ndjson", b"\n" * 100_000),
        ("text/plain", b"{" * 100_000),
    ],
)
async def test_an_unreadable_form_or_text_is_refused_clearly_and_kept(
    content_type: str, body: bytes, hub: Hub, rows: Rows
) -> None:
    connector = await hub.create_connector()

    reply = await hub.send(connector, body, content_type=content_type)

    assert refused_clearly(reply)
    assert (reply.status_code, reply.body["code"]) == (400, "invalid_body")
    assert (await rows.event(reply.event_id))["payload"] == body


async def test_five_megabytes_are_refused_clearly(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()

    reply = await hub.send(connector, b" " * 5 * MEGABYTE)

    assert refused_clearly(reply)
    assert (reply.status_code, reply.body["code"]) == (413, "body_too_large")
    assert await rows.events(connector) == []


async def test_five_megabytes_in_chunks_are_refused_clearly(hub: Hub) -> None:
    connector = await hub.create_connector()

    async def chunks() -> Any:
        for _ in range(80):
            yield b" " * 65_536

    answer = await hub.client.post(connector.url, content=chunks(), headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=klingon",
        "application/json; charset=base64",
        "application/json; charset=zip",
        "application/json; charset=idna",
        "application/json; charset=unicode_escape",
        f"application/json; charset={'x' * 500}",
        "application/json; charset=../../etc",
        "application/octet-stream",
        "multipart/mixed; boundary=x",
        "x" * 5_000,
        "/",
    ],
)
async def test_an_unknown_type_or_charset_is_415(content_type: str, hub: Hub) -> None:
    reply = await hub.send(await hub.create_connector(), {"phone": new_phone()}, content_type=content_type)

    assert refused_clearly(reply)
    assert (reply.status_code, reply.body["code"]) == (415, "unsupported_media_type")


# ---- bodies that can be read all the same -----------------------------------------------------------


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
async def test_every_utf_with_and_without_its_mark_is_read(encoding: str, hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    body = json.dumps({"phone": new_phone(), "name": "José ज़रूरी"}, ensure_ascii=False).encode(encoding)

    reply = await hub.send(connector, body)

    assert reply.status == "created", reply.body
    assert (await rows.lead(reply.lead_id))["name"] == "José ज़रूरी"
    assert (await rows.event(reply.event_id))["payload"] == body


@pytest.mark.parametrize(("charset", "codec"), [("iso-8859-1", "latin-1"), ("windows-1252", "cp1252")])
async def test_an_older_charset_is_read_as_it_says(charset: str, codec: str, hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    body = f'{{"phone": "{new_phone()}", "name": "José"}}'.encode(codec)

    reply = await hub.send(connector, body, content_type=f"application/json; charset={charset}")

    assert (await rows.lead(reply.lead_id))["name"] == "José"


async def test_nul_and_lone_surrogates_are_cleaned_in_the_lead_and_kept_in_the_payload(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector(
        fieldMapping={
            "phone": "phoneNumber",
            "name": "name",
            "message": "notes",
            "city": "city",
            "id": "externalId",
            "extra": "attributes.extra",
            "more": "attributes.more",
        }
    )
    phone = new_phone()
    body = (
        b'{"phone": "%b\\u0000", "name": "As\\u0000ha \\ud800Example\\udfff", "message": "one\\u0000\\ntwo\\udc00",'
        b' "city": "\\ud83dPune", "id": "A\\u0000\\ud800", "extra": "x\\u0000y\\ud800", "more": {"a\\u0000\\ud800": ["\\u0000"]}}'
    ) % phone.encode()

    reply = await hub.send(connector, body, headers={"Idempotency-Key": "1"})

    assert reply.status == "created", reply.body
    lead = await rows.lead(reply.lead_id)
    assert (lead["phone_number"], lead["name"], lead["notes"], lead["city"]) == (
        phone,
        "Asha Example",
        "one\ntwo",
        "Pune",
    )
    assert lead["attributes"] == {"extra": "xy", "more": {"a": [""]}}
    event = await rows.event(reply.event_id)
    assert event["payload"] == body
    again = await hub.send(connector, body)
    assert again.body == {**reply.body, "repeated": True}


async def test_nul_and_lone_surrogates_in_a_list_are_kept_byte_for_byte_too(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    record = b'{"phone": "%b", "name": "\\ud800Asha\\u0000"}' % new_phone().encode()
    body = b"[" + record + b', {"name": "\\ud800\\u0000"}]'

    reply = await hub.send(connector, body)

    assert [one["status"] for one in reply.body["results"]] == ["created", "failed"]
    first, second = await rows.events(connector)
    assert first["body"] == body
    assert json.loads(first["payload"]) == json.loads(record)
    assert json.loads(second["payload"]) == {"name": "\ud800\u0000"}
    assert (await rows.lead(reply.body["results"][0]["leadId"]))["name"] == "Asha"


async def test_nul_in_forms_is_cleaned_in_the_lead_and_kept_in_the_payload(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    body = b"phone=%b&name=As%%00ha%%ED%%A0%%80&x%%00y=1" % new_phone().replace("+", "%2B").encode()

    reply = await hub.send(connector, body, content_type="application/x-www-form-urlencoded")

    assert reply.status == "created", reply.body
    assert (await rows.lead(reply.lead_id))["name"].startswith("Asha")
    assert (await rows.event(reply.event_id))["payload"] == body


async def test_of_equal_keys_the_last_one_counts(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    phone = new_phone()
    body = b'{"phone": "12", "name": "First", "phone": "%b", "name": "Last"}' % phone.encode()

    reply = await hub.send(connector, body)

    lead = await rows.lead(reply.lead_id)
    assert (lead["phone_number"], lead["name"]) == (phone, "Last")
    assert (await rows.event(reply.event_id))["payload"] == body


async def test_a_number_of_500_digits_neither_fails_nor_is_rounded(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector(
        fieldMapping={
            "phone": "phoneNumber",
            "id": "externalId",
            "score": "attributes.score",
            "more": "attributes.more",
        }
    )
    digits = "7" * 500
    phone = new_phone()
    template = (
        '{{"phone": {phone}, "id": {id}, "score": {digits}, "more": [1e999, -{digits}, 0.{digits}, 12e-{digits}]}}'
    )
    body = template.format(phone=phone[1:], id="12345678901234567890123", digits=digits).encode()

    reply = await hub.send(connector, body)

    assert reply.status == "created", reply.body
    lead = await rows.lead(reply.lead_id)
    assert (lead["phone_number"], lead["external_id"]) == (phone, "12345678901234567890123")
    assert lead["attributes"]["score"] == digits
    assert (await rows.event(reply.event_id))["payload"] == body


@pytest.mark.parametrize("digits", ["1" * 500, "9" * 100_000, "-1", "0", "1e400", "1.5", "98765432100000000000"])
async def test_a_number_that_is_no_phone_is_refused_as_one(digits: str, hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    body = b'{"phone": %b}' % digits.encode()

    reply = await hub.send(connector, body)

    assert refused_clearly(reply)
    assert reply.body["code"] in ("invalid_phone", "missing_phone")
    assert (await rows.event(reply.event_id))["payload"] == body


@pytest.mark.parametrize("value", [[], {}, [[]], [None], True, {"a": {"b": 1}}, [[["x"]]], [1, 2], "x" * 500_000])
async def test_anything_where_text_was_expected_costs_at_most_its_field(value: Any, hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector(
        fieldMapping={
            "phone": "phoneNumber",
            **{name: name for name in ("name", "email", "city", "state", "country", "pincode", "notes", "enquiredAt")},
            "id": "externalId",
        }
    )
    phone = new_phone()
    names = ("name", "email", "city", "state", "country", "pincode", "notes", "enquiredAt", "id")

    reply = await hub.send(
        connector,
        {"phone": phone, **dict.fromkeys(names, value)} if len(str(value)) < 9_999 else {"phone": phone, "name": value},
    )

    assert reply.status == "created", reply.body
    assert (await rows.lead(reply.lead_id))["phone_number"] == phone


@pytest.mark.parametrize("value", [[], {}, None, True, False, [None], [[[]]], {"x": []}, "", "null"])
async def test_anything_where_the_phone_was_expected_is_a_missing_or_invalid_phone(value: Any, hub: Hub) -> None:
    reply = await hub.send(await hub.create_connector(), {"phone": value})

    assert refused_clearly(reply)
    assert reply.body["code"] in ("missing_phone", "invalid_phone")


async def test_a_list_of_phones_where_one_was_expected_gives_the_first_valid_one(hub: Hub, rows: Rows) -> None:
    phone = new_phone()

    reply = await hub.send(await hub.create_connector(), {"phone": ["12", None, phone, new_phone()]})

    assert (await rows.lead(reply.lead_id))["phone_number"] == phone


@pytest.mark.parametrize(
    "key", ["__proto__", "constructor", "__class__", "", " ", "a.b", "[0]", "phone[", "\u202ephone", "💥"]
)
async def test_a_strange_key_beside_the_phone_costs_nothing(key: str, hub: Hub) -> None:
    reply = await hub.send(await hub.create_connector(), {key: {"x": [1, {"y": key}]}, "phone": new_phone()})

    assert reply.status == "created", reply.body


async def test_a_template_s_line_breaks_inside_text_are_read(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    body = b'{"phone": "%b", "message": "one\r\ntwo\tthree"}' % new_phone().encode()

    reply = await hub.send(connector, body)

    assert (await rows.lead(reply.lead_id))["notes"] == "one\ntwo three"


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "'; DROP TABLE leads; --", "=HYPERLINK(1)", "${jndi:ldap://x}", "{{7*7}}", "%00%s%n"],
)
async def test_an_attack_in_a_field_is_just_text(name: str, hub: Hub, rows: Rows) -> None:
    reply = await hub.send(await hub.create_connector(), {"phone": new_phone(), "name": name, "message": name})

    assert reply.status == "created"
    assert await rows.lead(reply.lead_id)


# ---- hostile headers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ["X-Long: " + "x" * 30_000],
        [f"X-{number}: {number}" for number in range(500)],
        ["X-Latin: caf\xe9 \xff\xfe", "User-Agent: \xf0\x9f\x92\xa5"],
        ["X-Empty:", "X-Tab: a\tb"],
        ["X-" + "n" * 5_000 + ": 1"],
        ["Idempotency-Key: " + "k" * 20_000],
        ["Idempotency-Key: \xff\xfe\xfd"],
        ["webhook-id: ' OR 1=1 --"],
        ["X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6"],
        ["Cookie: a=b; " * 100],
        ["X-Webhook: " + chr(0x85) + chr(0xA0)],
        ["Host: evil.example"],
        ["Connection: keep-alive, Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"],
        ["Expect: 200-ok"],
    ],
)
async def test_a_hostile_header_costs_nothing_and_is_kept_within_bounds(lines: list[str], hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    body = json.dumps({"phone": new_phone()}).encode()
    async with Wire(hub.address) as wire:
        await wire.send(post(connector.url, body, *lines))

        answer = await wire.answer()

    assert (answer.status_code, answer.json()["status"]) == (200, "created")
    event = await rows.event(answer.json()["eventId"])
    assert len(json.dumps(event["headers"])) < 64_000
    assert event["ip"] == "127.0.0.1"


@pytest.mark.parametrize(
    "line",
    [b"X-Nul: a\x00b", b"X-Bare: a\rb", b"X Blank: 1", b": nameless", b"X-Control: a\x01b", b"X-Folded: a\r\n b"],
)
async def test_a_header_that_is_none_is_400_and_closed(line: bytes, hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    async with Wire(hub.address) as wire:
        await wire.send(post(connector.url, b"{}", line.decode("latin-1")))

        answer = await wire.answer()
        await wire.rest()

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_http"
    assert await rows.events(connector) == []


@pytest.mark.parametrize("query", ["%00", "a=%ff&b", "&&&=&", "x=" + "y" * 30_000, "token[]=1", "a=1;b=2", "%zz"])
async def test_a_hostile_query_costs_nothing(query: str, hub: Hub) -> None:
    connector = await hub.create_connector()
    body = json.dumps({"phone": new_phone()}).encode()
    async with Wire(hub.address) as wire:
        await wire.send(post(f"{connector.url}?{query}", body))

        assert (await wire.answer()).status_code == 200


# ---- and meanwhile ----------------------------------------------------------------------------------


async def test_many_bad_bodies_at_once_harm_nobody_beside_them(hub: Hub, rows: Rows) -> None:
    connector = await hub.create_connector()
    bad = [body for body in UNREADABLE.values() if len(body) < 300_000] * 3

    replies = await asyncio.gather(
        *(hub.send(connector, body) for body in bad),
        *(hub.send(connector, {"phone": new_phone()}) for _ in range(30)),
    )

    assert {reply.status_code for reply in replies[: len(bad)]} == {400}
    assert {reply.status for reply in replies[len(bad) :]} == {"created"}
    assert len(await rows.events(connector)) == len(replies)


@pytest.mark.parametrize("junk", ["\\u0000", "\\ud800"])
async def test_a_key_that_can_t_be_stored_is_named_without_harm_in_the_problem_it_causes(
    junk: str, hub: Hub, rows: Rows
) -> None:
    connector = await hub.create_connector()
    body = f'{{"phone{junk}": "12"}}'.encode()

    reply = await hub.send(connector, body)

    assert refused_clearly(reply)
    assert reply.body["code"] == "invalid_phone"
    event = await rows.event(reply.event_id)
    assert (event["code"], event["payload"]) == ("invalid_phone", body)
