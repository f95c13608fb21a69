"""Bringing leads in a file, as a page."""

import re

from tests.support.hub import Hub, new_phone
from tests.web.conftest import SignIn


async def test_a_file_is_looked_at_and_taken_in(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook", name="By file")
    person = await sign_in("manager")
    base = f"/connectors/{connector.id}/imports"
    proof = re.search(r'name="csrf" value="([^"]+)"', (await person.get(base)).text)
    assert proof
    content = f"Name,Phone\n<b>Asha</b>,{new_phone()}\n".encode()

    sent = await person.client.post(base, data={"csrf": proof[1]}, files={"file": ("fair.csv", content, "text/csv")})
    page = (await person.get(sent.headers["location"])).text

    assert "fair.csv" in page
    assert "&lt;b&gt;Asha&lt;/b&gt;" in page
    started = await person.send(f"{sent.headers['location']}/start")
    assert started.headers["location"].startswith("/jobs/")


async def test_an_unfit_file_is_said_at_its_field(hub: Hub, sign_in: SignIn) -> None:
    connector = await hub.create_connector("webhook")
    person = await sign_in("manager")
    base = f"/connectors/{connector.id}/imports"
    proof = re.search(r'name="csrf" value="([^"]+)"', (await person.get(base)).text)
    assert proof

    refused = await person.client.post(
        base, data={"csrf": proof[1]}, files={"file": ("x.xlsx", b"PK\x03\x04..", "a/b")}
    )

    assert refused.status_code == 422
    assert 'id="fault-file"' in refused.text
