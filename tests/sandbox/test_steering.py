"""Steering the sandbox: by its API, and by its page, which works without script."""

import os
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.support.sandbox import Sandbox


def post(sandbox: Sandbox, path: str, **how: Any) -> tuple[int, str]:
    answer = sandbox.http.post(sandbox.url + path, **how)
    return answer.status_code, answer.text


def test_a_fault_happens_as_often_as_it_is_asked_for(sandbox: Sandbox) -> None:
    sandbox.fault("tradeindia", html=2)
    url = f"{sandbox.url}/utils/my_inquiry.html"
    assert [sandbox.http.get(url).status_code for _ in range(3)] == [502, 502, 429]
    sandbox.fault("tradeindia", html=True)
    assert sandbox.http.get(url).status_code == 502
    sandbox.fault("tradeindia", html=None)
    assert sandbox.http.get(url).status_code == 429


def test_a_lead_can_be_set_by_our_names_and_by_the_providers(sandbox: Sandbox) -> None:
    assert sandbox.add("indiamart", email="a@example.com", SENDER_CITY="Pune", id="77")["SENDER_CITY"] == "Pune"
    assert sandbox.add("tradeindia", name="Asha", rfi_id="88")["rfi_id"] == "88"


def test_a_reset_brings_the_same_buyers_again(sandbox: Sandbox) -> None:
    first = sandbox.add("indiamart")
    sandbox.control("reset", {})
    assert sandbox.add("indiamart") == first


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("indiamart/faults", {"no_such": True}),
        ("indiamart/faults", {"slow": "x"}),
        ("indiamart/settings", {"no_such": 1}),
        ("indiamart/leads", {"count": -1}),
        ("indiamart/leads", {"count": "x"}),
        ("indiamart/leads", {"at": "yesterday"}),
        ("indiamart/leads", {"lead": ["x"]}),
        ("indiamart/leads", []),
        ("clock", {"now": 7}),
        ("clock", {"advanceSeconds": None}),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(sandbox: Sandbox, path: str, body: Any) -> None:
    status, text = post(sandbox, f"/_control/{path}", json=body)
    assert status == 400
    assert '"error"' in text


def test_an_unknown_provider_is_named_so(sandbox: Sandbox) -> None:
    assert post(sandbox, "/_control/nobody/leads", json={})[0] == 404
    assert post(sandbox, "/_control/indiamart/leads", content=b"{")[0] == 400


def test_the_page_shows_every_provider_without_script_or_inline_style(sandbox: Sandbox) -> None:
    answer = sandbox.http.get(sandbox.url)
    assert answer.status_code == 200
    for name in sandbox.control("state")["providers"]:
        assert f'action="/_page/{name}/lead"' in answer.text
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", answer.text)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    style = sandbox.http.get(f"{sandbox.url}/page.css")
    assert (style.status_code, style.headers["content-type"].split(";")[0]) == (200, "text/css")
    assert "light-dark(" in style.text


def test_the_buttons_of_the_page_do_what_they_say(sandbox: Sandbox) -> None:
    sent = sandbox.http.post(f"{sandbox.url}/_page/tradeindia/lead", follow_redirects=True)
    assert "has written" in sent.text
    sandbox.http.post(f"{sandbox.url}/_page/tradeindia/fault", data={"fault": "key_expired"})
    sandbox.http.post(f"{sandbox.url}/_page/indiamart/target", data={"pushTo": "/api/connectors/indiamart/x"})
    state = sandbox.state("tradeindia")
    assert (state["enquiries"], state["faults"]) == (1, {"key_expired": True})
    assert sandbox.state("indiamart")["settings"]["pushTo"] == "/api/connectors/indiamart/x"
    sandbox.http.post(f"{sandbox.url}/_page/tradeindia/fault", data={"fault": "key_expired"})
    assert sandbox.state("tradeindia")["faults"] == {}
    for path in ("nobody/lead", "tradeindia/nothing", "tradeindia/target"):
        told = sandbox.http.post(f"{sandbox.url}/_page/{path}", follow_redirects=True).text
        assert "There is no such" in told


def test_what_is_told_and_typed_is_shown_as_text(sandbox: Sandbox) -> None:
    mark = '"><script>alert(1)</script>'
    sandbox.http.post(f"{sandbox.url}/_page/indiamart/target", data={"pushTo": mark})
    page = sandbox.http.get(sandbox.url, params={"told": mark}).text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_another_sites_page_can_not_steer_it(sandbox: Sandbox) -> None:
    headers = {"Origin": "https://evil.example"}
    assert post(sandbox, "/_page/indiamart/lead", headers=headers)[0] == 403
    assert post(sandbox, "/_control/reset", headers=headers)[0] == 403
    assert post(sandbox, "/_control/reset", headers={"Origin": sandbox.url})[0] == 200


def test_the_command_serves_it_and_says_how_to_use_it() -> None:
    script = "import typer; from connector_master.cli.sandbox import sandbox; typer.run(sandbox)"
    command = [sys.executable, "-c", script, "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout is not None
        try:
            said = ""
            while "INDIAMART_URL" not in said and (line := process.stdout.readline()):
                said += line
        finally:
            process.terminate()
    assert re.search(r"The sandbox is at http://127\.0\.0\.1:\d+\n", said)
    assert re.search(r"CONNECTOR_MASTER_INDIAMART_URL=http://127\.0\.0\.1:\d+\n", said)
