"""WhatsApp's connection test: may the token see the number, does it belong to the account, will its messages come here?"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connector_master.connectors.connector import Check
from connector_master.connectors.graph import Fault, Graph
from connector_master.model.json import Json, as_list, as_object
from connector_master.model.problem import Permanent
from connector_master.model.words import Words, sentences
from connector_master.outbound.client import Client

_FIELDS = (
    "id,display_phone_number,verified_name,quality_rating,code_verification_status,status,platform_type,account_mode,"
    "name_status"
)
_FEW_FIELDS = "id,display_phone_number,verified_name"
_NEEDED = {
    "access_token": Words("the access token"),
    "phone_number_id": Words("the phone number ID"),
    "business_account_id": Words("the WhatsApp Business account ID"),
}
_SCOPES = ("whatsapp_business_messaging", "whatsapp_business_management")
_MOST_PAGES = 20


@dataclass(slots=True)
class _Findings:
    """What the calls told: `wrong` keeps leads away, `doubtful` may do so one day."""

    wrong: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    details: dict[str, Json] = field(default_factory=dict)


async def check_connection(client: Client, credentials: Any, settings: Any) -> Check:
    """Return what stands between this connector and its messages, each with its remedy.

    Raises what Graph's error means when not even the number can be read (connectors/graph.py).
    """
    missing = [words for name, words in _NEEDED.items() if not getattr(credentials, name)]
    if missing:
        return Check(False, Words("Not entered yet: %(names)s.", names=missing), {"code": "credentials_missing"})
    graph = Graph(client, credentials.access_token, settings.api_version, credentials.app_secret)
    found = _Findings()
    if credentials.app_secret is None:
        if settings.signature == "required":
            found.wrong.append(
                Words(
                    "Without the app secret no push can be checked and all are refused: copy it from App settings, Basic."
                )
            )
        else:
            found.doubtful.append(
                Words("Without the app secret no push can be checked: copy it from App settings, Basic.")
            )
    number = await _number(graph, credentials.phone_number_id)
    _judge_number(number, found)
    await _try(found, _check_account, graph, credentials)
    app_id = await _judge_token(graph, credentials.access_token, found)
    await _try(found, _check_subscription, graph, credentials.business_account_id, app_id)
    connected = Words(
        "Connected to %(name)s (%(number)s).",
        name=number.get("verified_name") or Words("WhatsApp number"),
        number=number.get("display_phone_number") or Words("no number shown"),
    )
    details = found.details | {"problems": list(found.wrong), "warnings": list(found.doubtful)}
    if found.wrong:
        return Check(False, sentences(*found.wrong), details)
    return Check(True, sentences(connected, *found.doubtful), details)


async def _try(found: _Findings, check: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
    try:
        await check(found, *arguments)
    except Permanent as problem:
        found.wrong.append(sentences(problem.detail, problem.remedy))


async def _number(graph: Graph, number_id: str) -> dict[str, Json]:
    answer = await graph.ask(number_id, {"fields": _FIELDS})
    # One field that the token may not read fails them all.
    if isinstance(answer, Fault) and answer.code == 100 and answer.subcode != 33:
        answer = await graph.ask(number_id, {"fields": _FEW_FIELDS})
    if isinstance(answer, Fault):
        raise answer.problem()
    return answer


def _judge_number(number: dict[str, Json], found: _Findings) -> None:
    found.details |= {
        "phoneNumber": number.get("display_phone_number"),
        "verifiedName": number.get("verified_name"),
        "qualityRating": number.get("quality_rating"),
        "status": number.get("status"),
    }
    platform, status = number.get("platform_type"), number.get("status")
    if platform not in (None, "CLOUD_API"):
        found.wrong.append(
            Words(
                "The number is not registered for the Cloud API (%(platform)s): register it in WhatsApp Manager.",
                platform=platform,
            )
        )
    if status not in (None, "CONNECTED"):
        found.wrong.append(
            Words("The number's status is %(status)s: look in WhatsApp Manager what it needs.", status=status)
        )
    if number.get("code_verification_status") in ("NOT_VERIFIED", "EXPIRED"):
        found.doubtful.append(
            Words("The number's verification is missing or has expired: verify it in WhatsApp Manager.")
        )
    if number.get("account_mode") == "SANDBOX":
        found.doubtful.append(Words("This is a test number: only people on its list can write to it."))


async def _check_account(found: _Findings, graph: Graph, credentials: Any) -> None:
    after: str | None = None
    for _ in range(_MOST_PAGES):
        query = {"fields": "id", "limit": "100"} | ({"after": after} if after else {})
        page = await graph.get(f"{credentials.business_account_id}/phone_numbers", query)
        if any(one.get("id") == credentials.phone_number_id for one in _objects(page.get("data"))):
            return
        paging = as_object(page.get("paging"))
        cursor = as_object(paging.get("cursors")).get("after")
        if "next" not in paging or not isinstance(cursor, str) or cursor == after:
            break
        after = cursor
    found.wrong.append(
        Words("The phone number ID belongs to another account: compare both ids under WhatsApp, API setup.")
    )


async def _judge_token(graph: Graph, token: str, found: _Findings) -> str | None:
    """Judge the token's end and permissions; return its app's id. Not every token may ask, and then nothing is said."""
    answer = await graph.ask("debug_token", {"input_token": token})
    data = {} if isinstance(answer, Fault) else as_object(answer.get("data"))
    end = data.get("expires_at")
    if isinstance(end, int) and not isinstance(end, bool) and end > 0:
        when = datetime.fromtimestamp(min(end, 253_402_300_799), UTC)
        found.details["tokenExpiresAt"] = when.strftime("%Y-%m-%dT%H:%M:%SZ")
        found.doubtful.append(
            Words(
                "The access token ends on %(day)s: make one without an end, for a system user. Messages come in without it, "
                "but tests and checks will fail.",
                day=when.date(),
            )
        )
    scopes = data.get("scopes")
    if isinstance(scopes, list):
        lacking = [scope for scope in _SCOPES if scope not in scopes]
        if lacking:
            found.wrong.append(Words("The access token lacks %(scopes)s: make a new one with it.", scopes=lacking))
    app_id = data.get("app_id")
    return str(app_id) if isinstance(app_id, str | int) else None


async def _check_subscription(found: _Findings, graph: Graph, account_id: str, app_id: str | None) -> None:
    path = f"{account_id}/subscribed_apps"
    answer = await graph.get(path)
    apps = [as_object(one.get("whatsapp_business_api_data")).get("id") for one in _objects(answer.get("data"))]
    is_subscribed = str(app_id) in map(str, apps) if app_id is not None else bool(apps)
    found.details["subscribed"] = is_subscribed
    if not is_subscribed:
        found.wrong.append(
            Words(
                "Your app is not subscribed to the account, so nothing will arrive: send a POST to %(path)s, for example in "
                "Meta's Graph API Explorer.",
                path=path,
            )
        )


def _objects(value: Json) -> list[dict[str, Json]]:
    return [one for one in as_list(value) if isinstance(one, dict)]
