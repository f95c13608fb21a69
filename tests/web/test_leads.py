"""Leads as pages: finding them, one with its timeline, keeping searches, and taking leads out."""

import csv
import io
import re

import pytest

from tests.support.desk import PASSWORD
from tests.support.hub import Hub, new_phone
from tests.web.conftest import SignIn

FRAGMENT = {"HX-Request": "true"}


async def test_leads_are_found_by_name_and_by_phone_in_any_spelling(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook", name="Finding")
    phone = new_phone()
    await hub.send(connector, {"phone": phone, "name": "Zubeida Karim", "city": "Pune"})
    person = await sign_in("executive")

    for q in ("zubeida", "karim zub", phone, f"0{phone[3:8]} {phone[8:]}"):
        part = (await person.client.get("/leads", params={"q": q}, headers=FRAGMENT)).text
        assert "Zubeida Karim" in part, q
        assert part.lstrip().startswith("<div"), q
    assert "No lead fits" in (await person.get("/leads?q=nobodyhere")).text


async def test_a_lead_shows_what_each_touch_added(hub: Hub, sign_in: SignIn) -> None:
    form = await hub.create_connector("webhook", name="First door")
    other = await hub.create_connector("webhook", name="Second door")
    phone = new_phone()
    made = await hub.send(form, {"phone": phone, "name": "Asha Rao"})
    await hub.send(other, {"phone": phone, "name": "Another Name", "email": "asha@mills.example"})

    page = (await (await sign_in("executive")).get(f"/leads/{made.lead_id}")).text

    assert "Became this lead" in page
    assert "Enquired again: same phone number" in page
    filled = page[page.index("Filled in:") :]
    assert "asha@mills.example" in filled[: filled.index("</ul>")]
    assert "Another Name" not in page
    assert f'href="tel:{phone}"' in page
    assert f'href="https://wa.me/{phone[1:]}"' in page
    assert "/events/" not in page


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "\u202eevil\u202c", "=2+5", "x" * 600, "{{ 7 * 7 }}"])
async def test_what_a_lead_says_is_shown_as_text(hub: Hub, sign_in: SignIn, name: str) -> None:
    connector = await hub.create_connector("webhook")
    made = await hub.send(connector, {"phone": new_phone(), "name": name, "notes": name})

    person = await sign_in("executive")
    page = (await person.get(f"/leads/{made.lead_id}")).text

    assert made.lead_id
    assert "<script>alert" not in page
    assert "<bdi>" in page
    assert ">49<" not in page


async def test_a_search_is_kept_by_name(hub: Hub, sign_in: SignIn) -> None:
    person = await sign_in("executive")

    await person.send("/leads/views", {"name": "Mumbai <b>", "query": "q=mumbai"})

    page = (await person.get("/leads")).text
    assert '<a href="/leads?q=mumbai"><bdi>Mumbai &lt;b&gt;</bdi></a>' in page
    view = re.search(r"/leads/views/([0-9a-f-]+)/forget", page)
    assert view
    await person.send(view[0])
    assert "/leads?q=mumbai" not in (await person.get("/leads")).text
    assert "Mumbai" not in (await (await sign_in("executive")).get("/leads")).text


async def test_other_columns_are_remembered(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook")
    await hub.send(connector, {"phone": new_phone(), "name": "Columned", "pincode": "400001"})
    person = await sign_in("executive")
    assert "400001" not in (await person.get("/leads")).text

    await person.send("/leads/columns", {"columns": ["pincode"], "query": ""})

    page = (await person.get("/leads")).text
    assert "400001" in page
    assert ">Came in<" not in page.replace("</label>", "")


async def test_exporting_asks_for_the_password(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook")
    await hub.send(connector, {"phone": new_phone(), "name": "Exported Person"})
    person = await sign_in("manager")

    refused = await person.send("/leads/export?q=exported", {"password": "wrong"}, on="/leads/export?q=exported")
    sent = await person.send("/leads/export?q=exported", {"password": PASSWORD}, on="/leads/export?q=exported")

    assert refused.status_code == 422
    assert "Exported Person" not in refused.text
    rows = list(csv.DictReader(io.StringIO(sent.text)))
    assert {row["name"] for row in rows} == {"Exported Person"}


async def test_executives_take_nothing_out(sign_in: SignIn) -> None:
    person = await sign_in("executive")

    assert (await person.get("/leads/export")).status_code == 403
    assert "/leads/export" not in (await person.get("/leads")).text
