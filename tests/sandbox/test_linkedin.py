"""The stand-in for LinkedIn, over a real socket: what it sends is signed as documented, what it refuses LinkedIn refuses."""

import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import pytest

from connector_master.sandbox.linkedin import LinkedIn
from tests.support.hub import ROOT
from tests.support.sandbox import CLOCK, Sandbox

SAMPLES = ROOT / "tests/samples/linkedin"
BACK = "https://hub.example/api/connectors/oauth/callback"
ID, SECRET = LinkedIn.settings["clientId"], LinkedIn.settings["clientSecret"]
SCOPES = "r_marketing_leadgen_automation r_ads r_organization_admin"
ACCOUNT, NO_ROLE, PAGE = "510000001", "510000004", "31000002"
OWNER = f"owner=(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A{ACCOUNT})"
SPONSORED = "leadType=(leadType:SPONSORED)"
LEADS = f"leadFormResponses?q=owner&{OWNER}&{SPONSORED}"
HEADERS = {
    "Authorization": "Bearer sandbox-token",
    "LinkedIn-Version": "202609",
    "X-Restli-Protocol-Version": "2.0.0",
}


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def call(
    sandbox: Sandbox, path: str, *, method: str = "GET", body: Any = None, **headers: str | None
) -> httpx2.Response:
    """What the API answers to this path, sent as it is; a header that is None is not sent."""
    named = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in named.items() if value is not None}
    return sandbox.http.request(method, f"{sandbox.url}/linkedin/rest/{path}", headers=sent, json=body)


def refused(answer: httpx2.Response) -> dict[str, Any]:
    """What an error says, as the samples write it."""
    said: dict[str, Any] = answer.json()
    assert said["status"] == answer.status_code
    return said


def authorized(sandbox: Sandbox, consents: str = "allow", scope: str = SCOPES) -> dict[str, list[str]]:
    """What the browser comes back with."""
    sandbox.set("linkedin", consents=consents)
    query = {"client_id": ID, "redirect_uri": BACK, "state": "s", "response_type": "code", "scope": scope}
    answer = sandbox.http.get(f"{sandbox.url}/linkedin/oauth/v2/authorization", params=query)
    assert answer.status_code == 302
    return parse_qs(urlsplit(answer.headers["location"]).query)


def post(sandbox: Sandbox, path: str, **form: str) -> httpx2.Response:
    app = {"client_id": ID, "client_secret": SECRET}
    return sandbox.http.post(f"{sandbox.url}/linkedin/oauth/v2/{path}", data=app | form)


def tokens(sandbox: Sandbox, scope: str = SCOPES) -> dict[str, Any]:
    (code,) = authorized(sandbox, scope=scope)["code"]
    answer = post(sandbox, "accessToken", grant_type="authorization_code", code=code, redirect_uri=BACK)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


class _Hub(BaseHTTPRequestHandler):
    """A receiver that answers challenges with a secret, and remembers notices."""

    secret: ClassVar[str] = SECRET
    challenges: ClassVar[list[str]] = []
    notices: ClassVar[list[tuple[str | None, bytes]]] = []

    def do_GET(self) -> None:
        (code,) = parse_qs(urlsplit(self.path).query)["challengeCode"]
        self.challenges.append(code)
        response = hmac.digest(self.secret.encode(), code.encode(), "sha256").hex()
        body = json.dumps({"challengeCode": code, "challengeResponse": response}).encode()
        self._answer(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.notices.append((self.headers["X-LI-Signature"], body))
        self._answer(b"{}")

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[str]:
    _Hub.secret = SECRET
    _Hub.challenges.clear()
    _Hub.notices.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api/connectors/linkedin/demo"
    server.shutdown()


def subscribe(sandbox: Sandbox, webhook: str, **more: Any) -> httpx2.Response:
    owner = {"sponsoredAccount": f"urn:li:sponsoredAccount:{ACCOUNT}"}
    body = {"webhook": webhook, "owner": owner, "leadType": "SPONSORED"} | more
    return call(sandbox, "leadNotifications", method="POST", body=body)


# ---- consent and tokens ---------------------------------------------------------------------------------


def test_consent_gives_long_tokens_whose_year_is_never_renewed(sandbox: Sandbox) -> None:
    first = tokens(sandbox)
    sandbox.pass_time(days=340)

    renewed = post(sandbox, "accessToken", grant_type="refresh_token", refresh_token=first["refresh_token"]).json()

    assert (first["expires_in"], first["refresh_token_expires_in"]) == (5_184_000, 31_536_000)
    assert set(first["scope"].split(",")) == set(SCOPES.split())
    assert 900 < len(first["access_token"]) <= 1_000
    assert renewed["refresh_token"] == first["refresh_token"]
    assert renewed["expires_in"] == renewed["refresh_token_expires_in"] == 25 * 86_400


def test_who_is_no_partner_gets_no_refresh_token(sandbox: Sandbox) -> None:
    sandbox.fault("linkedin", no_refresh_token=True)
    assert "refresh_token" not in tokens(sandbox)


def test_a_rotated_refresh_token_is_dead(sandbox: Sandbox) -> None:
    sandbox.fault("linkedin", rotates=True)
    first = tokens(sandbox)["refresh_token"]

    heir = post(sandbox, "accessToken", grant_type="refresh_token", refresh_token=first).json()["refresh_token"]
    again = post(sandbox, "accessToken", grant_type="refresh_token", refresh_token=first)

    assert heir != first
    assert (again.status_code, again.json()) == (400, sample("oauth")["refresh_dead"]["response"])


def test_a_wrong_secret_is_told_from_a_dead_grant(sandbox: Sandbox) -> None:
    answer = post(sandbox, "accessToken", grant_type="refresh_token", refresh_token="x", client_secret="wrong")
    wanted = sample("oauth")["client_wrong"]
    assert (answer.status_code, answer.json()) == (wanted["status"], wanted["response"])


@pytest.mark.parametrize(
    ("consents", "scope", "name"),
    [("refuse", SCOPES, "callback_refused"), ("allow", "r_ads_leadgen_automation", "callback_scope")],
)
def test_a_refusal_and_a_missing_product_come_back_as_linkedin_tells_them(
    sandbox: Sandbox, consents: str, scope: str, name: str
) -> None:
    back = authorized(sandbox, consents, scope)
    wanted = parse_qs(sample("oauth")[name]["query"])
    assert back["error"] == wanted["error"]
    if name == "callback_refused":
        assert back["error_description"] == wanted["error_description"]
    assert "code" not in back


def test_nothing_less_than_everything_is_granted(sandbox: Sandbox) -> None:
    sandbox.set("linkedin", unticked="r_ads")
    (code,) = authorized(sandbox, "partly")["code"]
    made = post(sandbox, "accessToken", grant_type="authorization_code", code=code, redirect_uri=BACK).json()
    assert set(made["scope"].split(",")) == set(SCOPES.split())


def test_consent_to_other_scopes_ends_the_earlier_tokens(sandbox: Sandbox) -> None:
    first = tokens(sandbox)["access_token"]
    tokens(sandbox)
    alive = post(sandbox, "introspectToken", token=first).json()
    tokens(sandbox, f"{SCOPES} rw_organization_admin")
    dead = post(sandbox, "introspectToken", token=first).json()

    assert alive.keys() == sample("oauth")["introspect_active"]["response"].keys()
    assert (alive["status"], alive["auth_type"]) == ("active", "3L")
    assert dead == sample("oauth")["introspect_revoked"]["response"]


# ---- what every call has to show ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "position"),
    [
        ({"LinkedIn_Version": None}, 7),
        ({"Authorization": None}, 3),
        ({"Authorization": "Bearer nobody-issued-this"}, 2),
    ],
)
def test_a_call_without_version_or_token_is_refused_as_documented(
    sandbox: Sandbox, headers: dict[str, Any], position: int
) -> None:
    answer = call(sandbox, LEADS, **headers)
    assert (answer.status_code, refused(answer)) == (
        sample("errors")[position]["http_status"],
        sample("errors")[position]["body"],
    )


@pytest.mark.parametrize("version", ["202504", "202512", "202511", "20260901", "latest"])
def test_a_version_that_is_not_served_is_426(sandbox: Sandbox, version: str) -> None:
    answer = call(sandbox, LEADS, LinkedIn_Version=version)
    assert (answer.status_code, refused(answer)["code"]) == (426, "NONEXISTENT_VERSION")
    if version == "202504":
        assert refused(answer) == sample("errors")[8]["body"]


@pytest.mark.parametrize(("days", "action", "position"), [(61, None, 0), (0, "revoke_all", 1)])
def test_a_dead_token_says_why(sandbox: Sandbox, days: int, action: str | None, position: int) -> None:
    token = tokens(sandbox)["access_token"]
    assert call(sandbox, LEADS, Authorization=f"Bearer {token}").status_code == 200
    sandbox.pass_time(days=days)
    if action:
        sandbox.control("linkedin/actions", {"action": action})

    answer = call(sandbox, LEADS, Authorization=f"Bearer {token}")

    assert refused(answer) == sample("errors")[position]["body"]


def test_a_refresh_token_and_a_token_in_the_query_open_nothing(sandbox: Sandbox) -> None:
    made = tokens(sandbox)
    answer = call(sandbox, LEADS, Authorization=f"Bearer {made['refresh_token']}")
    in_query = call(sandbox, f"organizations/{PAGE}?oauth2_access_token=sandbox-token", Authorization=None)
    assert (answer.status_code, in_query.status_code) == (401, 401)


@pytest.mark.parametrize(
    ("path", "missing", "name"),
    [
        (LEADS, "r_marketing_leadgen_automation", "leadFormResponses.FINDER-owner"),
        ("adAccounts?q=search", "r_ads", "adAccounts.FINDER-search"),
        ("organizationAcls?q=roleAssignee", "r_organization_admin", "organizationAcls.FINDER-roleAssignee"),
        (
            f"leadNotifications?q=criteria&{OWNER}",
            "r_marketing_leadgen_automation",
            "leadNotifications.FINDER-criteria",
        ),
    ],
)
def test_a_scope_that_was_not_granted_is_named_by_what_it_would_open(
    sandbox: Sandbox, path: str, missing: str, name: str
) -> None:
    token = tokens(sandbox, " ".join(one for one in SCOPES.split() if one != missing))["access_token"]
    said = refused(call(sandbox, path, Authorization=f"Bearer {token}"))
    wanted = sample("errors")[4]["body"]
    assert said == wanted | {"message": f"Not enough permissions to access: {name}.20260901"}


def test_the_wider_scope_of_pages_includes_the_narrower(sandbox: Sandbox) -> None:
    token = tokens(sandbox, "rw_organization_admin")["access_token"]
    assert call(sandbox, "organizationAcls?q=roleAssignee", Authorization=f"Bearer {token}").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        f"q=owner&owner=%28sponsoredAccount%3Aurn%253Ali%253AsponsoredAccount%253A{ACCOUNT}%29&{SPONSORED}",
        f"q=owner&owner=(sponsoredAccount:urn%253Ali%253AsponsoredAccount%253A{ACCOUNT})&{SPONSORED}",
        f"q=owner&owner=(sponsoredAccount:urn:li:sponsoredAccount:{ACCOUNT})&{SPONSORED}",
        f"q=owner&owner=urn%3Ali%3AsponsoredAccount%3A{ACCOUNT}&{SPONSORED}",
        f"q=owner&{OWNER}",
        f"q=owner&{OWNER}&leadType=SPONSORED",
        f"q=owner&{OWNER}&leadType=(leadType:List(SPONSORED,EVENT))",
        f"q=criteria&{OWNER}&{SPONSORED}",
        f"{OWNER}&{SPONSORED}",
        f"q=owner&{OWNER}&{SPONSORED}&submittedAtTimeRange=%28start%3A1%2Cend%3A2%29",
        f"q=owner&{OWNER}&{SPONSORED}&submittedAtTimeRange=(start:2,end:1)",
        f"q=owner&{OWNER}&{SPONSORED}&fields=id,form%3A%28name%29",
        f"q=owner&{OWNER}&{SPONSORED}&fields=id%2Cowner",
        f"q=owner&{OWNER}&{SPONSORED}&count=none",
        f"q=owner&{OWNER}&{SPONSORED}&unknown=1",
        f"q=owner&{OWNER}&{OWNER}&{SPONSORED}",
        f"q=owner&owner=(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A{ACCOUNT}&{SPONSORED}",
    ],
)
def test_what_is_not_encoded_as_restli_wants_it_is_a_bad_request(sandbox: Sandbox, query: str) -> None:
    answer = call(sandbox, f"leadFormResponses?{query}")
    assert (answer.status_code, refused(answer)) == (400, sample("errors")[6]["body"])


def test_structure_is_not_read_without_the_protocols_version(sandbox: Sandbox) -> None:
    assert call(sandbox, LEADS, X_Restli_Protocol_Version=None).status_code == 400
    assert call(sandbox, f"organizations/{PAGE}", X_Restli_Protocol_Version=None).status_code == 200


# ---- accounts, pages, names -----------------------------------------------------------------------------


def test_the_samples_own_calls_are_answered_in_their_shapes(sandbox: Sandbox) -> None:
    samples = sample("ad_accounts_and_roles") | sample("lookups")
    answers = {name: call(sandbox, one["request"].removeprefix("GET /rest/")).json() for name, one in samples.items()}

    for name in ("ad_accounts", "roles"):
        wanted, found = samples[name]["response"], answers[name]
        assert wanted["elements"][0].keys() - {"created", "lastModified"} == found["elements"][0].keys()
        assert wanted["paging"].keys() <= found["paging"].keys()
    assert answers["ad_accounts"]["elements"][1]["referenceInfo"] == {}
    assert answers["ad_accounts_cursor"]["metadata"]["nextPageToken"]
    assert [answers[name]["name"] for name in ("campaign", "creative")] == ["Diwali B2B 2026", "Carousel A"]
    assert answers["organization_own_page"]["localizedName"] == "Example Traders"


def test_ad_accounts_come_by_number_and_by_token(sandbox: Sandbox) -> None:
    search = "adAccounts?q=search&search=(status:(values:List(ACTIVE)),test:false)"
    whole = call(sandbox, search).json()["elements"]
    found: list[Any] = []
    token: str | None = ""
    while token is not None:
        page = call(sandbox, f"{search}&pageSize=3{f'&pageToken={quote(token)}' if token else ''}").json()
        found += page["elements"]
        token = page["metadata"].get("nextPageToken")

    assert [one["id"] for one in found] == [one["id"] for one in whole] == [510000001, 510000002, 510000003, 510000004]
    assert "referenceInfo" not in whole[0]
    assert len(call(sandbox, "adAccounts?q=search").json()["elements"]) == 6


def test_an_urn_in_the_path_has_to_be_encoded(sandbox: Sandbox) -> None:
    assert call(sandbox, "adAccounts/510000001/creatives/urn:li:sponsoredCreative:610000001").status_code == 400


@pytest.mark.parametrize(
    ("owner", "lead_type", "status", "code"),
    [
        (f"(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A{NO_ROLE})", "SPONSORED", 403, "ACCESS_DENIED"),
        ("(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A510000002)", "SPONSORED", 403, "ACCESS_DENIED"),
        ("(sponsoredAccount:urn%3Ali%3AsponsoredAccount%3A99)", "SPONSORED", 404, "NOT_FOUND"),
        (f"(organization:urn%3Ali%3Aorganization%3A{PAGE})", "SPONSORED", 400, "INVALID_VALUE_FOR_FIELD"),
        ("(organization:urn%3Ali%3Aorganization%3A31000001)", "EVENT", 403, "ACCESS_DENIED"),
        (f"(organization:urn%3Ali%3Aorganization%3A{PAGE})", "EVENT", 200, None),
    ],
)
def test_leads_are_given_only_to_who_has_the_role(
    sandbox: Sandbox, owner: str, lead_type: str, status: int, code: str | None
) -> None:
    answer = call(sandbox, f"leadFormResponses?q=owner&owner={owner}&leadType=(leadType:{lead_type})")
    assert (answer.status_code, answer.json().get("code")) == (status, code)


# ---- forms and leads ------------------------------------------------------------------------------------


def test_forms_are_listed_with_their_long_ids_and_given_by_number(sandbox: Sandbox) -> None:
    listed = call(sandbox, f"leadForms?q=owner&{OWNER}").json()["elements"]
    wanted = sample("forms_page")["elements"]

    assert {one["id"] for one in wanted} <= {one["id"] for one in listed}
    assert listed[0].keys() == wanted[0].keys()
    assert listed[0]["content"]["questions"][0].keys() == wanted[0]["content"]["questions"][0].keys()
    assert call(sandbox, "leadForms/6955637458260688001").json()["name"] == "Old catalogue form"
    assert call(sandbox, "leadForms/urn%3Ali%3AleadGenForm%3A7300001").status_code == 400


def test_a_lead_shows_only_what_is_named(sandbox: Sandbox) -> None:
    sandbox.add("linkedin", name="Asha Example", phone="+919000000101", email="asha@example.com")
    bare = call(sandbox, LEADS).json()["elements"][0]
    fields = "id,submittedAt,leadMetadataInfo,formResponse,form:(id,name,content)"
    named = call(sandbox, f"leadFormResponses/{bare['id']}?fields={fields}").json()

    assert bare.keys() == sample("lead_plain_no_decoration").keys()
    assert named.keys() == {"id", "submittedAt", "leadMetadataInfo", "formResponse", "form"}
    assert named["leadMetadataInfo"].keys() == sample("lead_full_sponsored")["leadMetadataInfo"].keys()
    assert named["form"].keys() == {"id", "name", "content"}
    assert named["submittedAt"] == int(CLOCK.timestamp() * 1000)
    texts = {
        question["predefinedField"]: answer["answerDetails"]["textQuestionAnswer"]["answer"]
        for answer in named["formResponse"]["answers"]
        for question in named["form"]["content"]["questions"]
        if question["questionId"] == answer["questionId"] and "predefinedField" in question
    }
    assert (texts["FIRST_NAME"], texts["LAST_NAME"], texts["EMAIL"]) == ("Asha", "Example", "asha@example.com")


def test_pages_are_no_longer_than_linkedin_wants_them(sandbox: Sandbox) -> None:
    sandbox.set("linkedin", mostOnAPage=4)
    sandbox.spread("linkedin", 10, CLOCK - timedelta(hours=1), CLOCK)
    span = f"submittedAtTimeRange=(start:1,end:{int(CLOCK.timestamp() * 1000)})"
    pages = [call(sandbox, f"{LEADS}&{span}&count=100&start={start}").json() for start in (0, 4, 8, 12)]

    assert [len(page["elements"]) for page in pages] == [4, 4, 2, 0]
    assert len({one["id"] for page in pages for one in page["elements"]}) == 10
    assert pages[0]["paging"].keys() == sample("leads_page1")["paging"].keys()
    assert [[one["rel"] for one in page["paging"]["links"]] for page in pages[:3]] == [
        ["next"],
        ["prev", "next"],
        ["prev"],
    ]


def test_leads_are_picked_by_time_type_and_owner_and_kept_for_ninety_days(sandbox: Sandbox) -> None:
    for days in (1, 89, 91):
        sandbox.add_at("linkedin", CLOCK - timedelta(days=days), id=f"old-{days}")
    sandbox.add("linkedin", id="event-1", leadType="EVENT")
    sandbox.add("linkedin", id="other-1", accountId="510000003")
    since = int((CLOCK - timedelta(days=2)).timestamp() * 1000)

    def ids(path: str) -> list[str]:
        return [one["id"] for one in call(sandbox, path).json()["elements"]]

    assert ids(LEADS) == ["old-1", "old-89"]
    assert ids(f"{LEADS}&submittedAtTimeRange=(start:{since})") == ["old-1"]
    organization = f"owner=(organization:urn%3Ali%3Aorganization%3A{PAGE})"
    assert ids(f"leadFormResponses?q=owner&{organization}&leadType=(leadType:EVENT)") == ["event-1"]
    assert call(sandbox, "leadFormResponses/old-91").status_code == 404


def test_test_leads_come_among_the_others_and_alone_when_asked_for(sandbox: Sandbox) -> None:
    sandbox.add("linkedin", id="real")
    sandbox.add("linkedin", id="trial", isTest="true")
    alone = call(sandbox, f"{LEADS}&limitedToTestLeads=true").json()["elements"]
    both = call(sandbox, f"{LEADS}&limitedToTestLeads=false").json()["elements"]
    assert [one["id"] for one in alone] == ["trial"]
    assert {one["id"]: one["testLead"] for one in both} == {"real": False, "trial": True}


def test_a_lead_is_404_right_after_it_was_made_and_for_whom_the_role_is_missing(sandbox: Sandbox) -> None:
    sandbox.control("linkedin/leads", {"lateSeconds": 60, "lead": {"id": "late"}})
    early = call(sandbox, "leadFormResponses/late")
    sandbox.pass_time(minutes=1)
    later = call(sandbox, "leadFormResponses/late")
    sandbox.set("linkedin", roles={})
    without = call(sandbox, "leadFormResponses/late")

    assert (early.status_code, later.status_code, without.status_code) == (404, 200, 404)
    assert refused(early) == sample("errors")[5]["body"]
    sandbox.fault("linkedin", role_hidden=True)
    assert refused(call(sandbox, "leadFormResponses/late")) == sample("errors")[2]["body"]


@pytest.mark.parametrize(
    ("fault", "position"),
    [
        ("token_expired", 0),
        ("token_revoked", 1),
        ("token_invalid", 2),
        ("rate_limit", 9),
        ("day_limit", 10),
        ("internal", 11),
    ],
)
def test_a_fault_speaks_as_the_documents_errors_do(sandbox: Sandbox, fault: str, position: int) -> None:
    sandbox.fault("linkedin", **{fault: 1})
    answer = call(sandbox, LEADS)
    assert (answer.status_code, refused(answer)) == (
        sample("errors")[position]["http_status"],
        sample("errors")[position]["body"],
    )
    assert answer.headers["x-li-uuid"]
    assert call(sandbox, LEADS).status_code == 200


def test_a_days_calls_are_counted_by_endpoint_until_midnight_utc(sandbox: Sandbox) -> None:
    sandbox.set("linkedin", callsPerDay=2)
    assert [call(sandbox, LEADS).status_code for _ in range(3)] == [200, 200, 429]
    assert call(sandbox, f"leadForms?q=owner&{OWNER}").status_code == 200
    sandbox.pass_time(hours=13, minutes=29)
    assert call(sandbox, LEADS).status_code == 429
    sandbox.pass_time(minutes=1)
    assert call(sandbox, LEADS).status_code == 200


# ---- notices --------------------------------------------------------------------------------------------


def test_an_address_is_subscribed_once_it_has_passed_the_challenge(sandbox: Sandbox, hub: str) -> None:
    made = subscribe(sandbox, hub)
    listing = sample("subscriptions")["list"]
    listed = call(sandbox, listing["request"].removeprefix("GET /rest/")).json()["elements"]

    assert (made.status_code, made.content) == (201, b"")
    assert len(_Hub.challenges) == 1
    assert [str(one["id"]) for one in listed] == [made.headers["x-restli-id"]]
    assert listed[0].keys() == listing["response_body"]["elements"][0].keys()
    organic = subscribe(sandbox, hub, owner={"organization": f"urn:li:organization:{PAGE}"}, leadType="EVENT")
    assert organic.json() == {"id": int(organic.headers["x-restli-id"])}
    gone = [call(sandbox, f"leadNotifications/{listed[0]['id']}", method="DELETE").status_code for _ in range(2)]
    assert gone == [204, 404]


def test_an_address_that_does_not_know_the_secret_is_refused(sandbox: Sandbox, hub: str) -> None:
    _Hub.secret = "another secret"
    wanted = sample("subscriptions")["create_refused"]
    for webhook in (hub, "http://127.0.0.1:1/x"):
        answer = subscribe(sandbox, webhook)
        assert (answer.status_code, answer.json()) == (wanted["status"], wanted["response_body"])


@pytest.mark.parametrize(
    "webhook", ["http://hub.example/x", "https://hub.example/x?a=b", "https://x.ngrok.io/y", "ftp://hub.example/x"]
)
def test_an_address_without_https_or_with_a_query_is_refused_unasked(sandbox: Sandbox, webhook: str) -> None:
    said = refused(subscribe(sandbox, webhook))
    assert (said["status"], said["errorDetails"]["inputErrors"][0]["input"]["inputPath"]) == (
        400,
        {"fieldPath": "webhook"},
    )


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"owner": {"sponsoredAccount": f"urn%3Ali%3AsponsoredAccount%3A{ACCOUNT}"}}, 400),
        ({"owner": {"sponsoredAccount": f"urn:li:sponsoredAccount:{NO_ROLE}"}}, 403),
        ({"leadType": "OTHER"}, 400),
        ({"leadType": "EVENT"}, 400),
    ],
)
def test_a_subscription_names_an_owner_with_such_leads(
    sandbox: Sandbox, hub: str, more: dict[str, Any], status: int
) -> None:
    assert subscribe(sandbox, hub, **more).status_code == status
    assert not _Hub.challenges


def test_a_notice_is_signed_as_documented_and_holds_no_more_than_ids(sandbox: Sandbox, hub: str) -> None:
    subscribe(sandbox, hub)
    sandbox.add("linkedin", name="Asha टेस्ट", phone="+919000000101")
    ((signature, body),) = _Hub.notices
    told = json.loads(body)

    assert signature == hmac.digest(SECRET.encode(), b"hmacsha256=" + body, "sha256").hex()
    assert told.keys() == sample("notification_created").keys()
    assert told["leadAction"] == "CREATED"
    assert b"Asha" not in body
    assert call(sandbox, f"leadFormResponses/{told['leadGenFormResponse'].rpartition(':')[2]}").status_code == 200


def test_signatures_can_be_wrong_absent_or_of_another_reading(sandbox: Sandbox, hub: str) -> None:
    subscribe(sandbox, hub)
    for fault in ("wrong_signature", "unsigned", "bare_signature", "prefixed_signature"):
        sandbox.fault("linkedin", **{fault: 1})
        sandbox.add("linkedin")
    wrong, unsigned, bare, prefixed = _Hub.notices

    assert wrong[0] != hmac.digest(SECRET.encode(), b"hmacsha256=" + wrong[1], "sha256").hex()
    assert unsigned[0] is None
    assert bare[0] == hmac.digest(SECRET.encode(), bare[1], "sha256").hex()
    assert prefixed[0] == "hmacsha256=" + hmac.digest(SECRET.encode(), b"hmacsha256=" + prefixed[1], "sha256").hex()


def test_only_who_has_subscribed_to_an_owner_and_a_type_is_told(sandbox: Sandbox, hub: str) -> None:
    subscribe(sandbox, hub)
    sandbox.add("linkedin", accountId="510000003")
    sandbox.add("linkedin", leadType="EVENT")
    assert not _Hub.notices
    subscribe(sandbox, hub, owner={"organization": f"urn:li:organization:{PAGE}"}, leadType="EVENT")
    sandbox.add("linkedin", leadType="EVENT")
    sandbox.fault("linkedin", dropped_pushes=1)
    sandbox.add("linkedin")
    sandbox.fault("linkedin", duplicates=1)
    sandbox.add("linkedin")
    assert [json.loads(body)["leadType"] for _, body in _Hub.notices] == ["EVENT", "SPONSORED", "SPONSORED"]


def test_a_withdrawal_is_told_and_the_lead_is_gone(sandbox: Sandbox, hub: str) -> None:
    subscribe(sandbox, hub, owner={"organization": f"urn:li:organization:{PAGE}"}, leadType="EVENT")
    sandbox.add("linkedin", leadType="EVENT", id="5b1d2c-7")
    assert call(sandbox, "leadFormResponses/5b1d2c-7").status_code == 200

    sandbox.add("linkedin", leadType="EVENT", withdraws="5b1d2c-7")

    told = json.loads(_Hub.notices[-1][1])
    wanted = sample("notification_event_deleted")
    assert told.keys() == wanted.keys()
    assert {name: told[name] for name in ("leadAction", "leadGenFormResponse", "leadType")} == {
        name: wanted[name] for name in ("leadAction", "leadGenFormResponse", "leadType")
    }
    assert call(sandbox, "leadFormResponses/5b1d2c-7").status_code == 404


def test_an_address_is_challenged_every_two_hours_and_blocked_after_three_failures(sandbox: Sandbox, hub: str) -> None:
    subscribe(sandbox, hub)
    sandbox.pass_time(hours=2)
    sandbox.add("linkedin")
    assert (len(_Hub.challenges), len(_Hub.notices)) == (2, 1)
    _Hub.secret = "changed without a word"
    sandbox.pass_time(hours=4)
    sandbox.add("linkedin")
    assert (len(_Hub.challenges), len(_Hub.notices)) == (4, 2)
    sandbox.pass_time(hours=2)
    sandbox.add("linkedin")
    _Hub.secret = SECRET
    sandbox.pass_time(hours=2)
    sandbox.add("linkedin")

    assert (len(_Hub.challenges), len(_Hub.notices)) == (5, 2)
    assert sandbox.state("linkedin")["pushed"]["blocked"] == 2
