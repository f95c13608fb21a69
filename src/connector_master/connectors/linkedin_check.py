"""LinkedIn's connection test: what the person who agreed reaches, whether leads can be read and are announced, and what ends."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from connector_master.connectors.connector import Check
from connector_master.connectors.linkedin_accounts import accounts, lead_types_of, owner
from connector_master.connectors.linkedin_api import Rest, rest_of
from connector_master.connectors.linkedin_errors import PAGES_SCOPE
from connector_master.connectors.linkedin_oauth import SCOPES
from connector_master.connectors.linkedin_subscriptions import is_subscribed
from connector_master.connectors.oauth import Account, Grant
from connector_master.model.json import Json
from connector_master.model.problem import BadProviderRequest, PermissionMissing
from connector_master.model.words import Words, sentences
from connector_master.outbound.client import Client

_WARNED_DAYS = 60


@dataclass(slots=True)
class _Findings:
    """What the calls told: `wrong` keeps leads away, `doubtful` may do so one day."""

    wrong: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    details: dict[str, Json] = field(default_factory=dict)


async def check_connection(client: Client, grant: Grant, settings: Any) -> Check:
    """Return what stands between this connector and its leads, each with its remedy. Raises what LinkedIn's errors mean."""
    rest = rest_of(client, grant, settings)
    found = _Findings()
    _judge_scopes(grant, found)
    reached = await accounts(client, grant, settings)
    asked = grant.accounts or [one for one in reached if one.is_selectable]
    _judge_reach(grant, reached, found)
    shown = [
        await _judge_leads(rest, grant, account, lead_type, found)
        for account in asked
        for lead_type in lead_types_of(account, settings)
    ]
    if warning := version_warning(settings.api_version, datetime.now(UTC).date()):
        found.doubtful.append(warning)
    details = found.details | {"leads": shown, "problems": list(found.wrong), "warnings": list(found.doubtful)}
    if found.wrong:
        return Check(False, sentences(*found.wrong), details)
    answered = Words("LinkedIn answered for %(accounts)s.", accounts=", ".join(account.name for account in asked))
    return Check(True, sentences(answered, *found.doubtful), details)


def version_warning(version: str, today: date) -> str | None:
    """Return that a version of the API ends soon, from two months before its year is over; None before that.

    >>> version_warning("202609", date(2027, 7, 2)), version_warning("202609", date(2027, 7, 4)) is None
    (None, False)
    """
    ends = date(int(version[:4]) + 1, int(version[4:]), 1)
    if (ends - today).days > _WARNED_DAYS:
        return None
    return Words(
        "Version %(version)s of LinkedIn's API is served until about %(day)s: raise the API version in the settings.",
        version=version,
        day=ends,
    )


def _judge_scopes(grant: Grant, found: _Findings) -> None:
    found.details["scopes"] = [*sorted(grant.scopes)]
    # The scope that may also write includes the one that reads.
    granted = grant.scopes | ({PAGES_SCOPE} if f"rw{PAGES_SCOPE[1:]}" in grant.scopes else set())
    if grant.scopes and (lacking := [scope for scope in SCOPES if scope not in granted]):
        found.wrong.append(Words("The token lacks %(scopes)s: connect again and agree to it.", scopes=lacking))


def _judge_reach(grant: Grant, reached: Sequence[Account], found: _Findings) -> None:
    known = {one.id: one for one in reached}
    found.details["accounts"] = [
        {"id": one.id, "name": one.name, "selectable": one.is_selectable, "reason": one.reason} for one in reached
    ]
    for account in grant.accounts:
        present = known.get(account.id)
        if present is None:
            found.wrong.append(
                Words(
                    "Whoever connected does not reach %(account)s any more: see to the role, connect again.",
                    account=account.name,
                )
            )
        elif present.reason:
            found.wrong.append(_of(account, present.reason))
    if not any(one.is_selectable for one in reached):
        found.wrong.append(Words("Nothing is reached whose leads may be read."))
        found.wrong += [_of(one, one.reason) for one in reached if one.reason]
    elif not grant.accounts:
        found.doubtful.append(Words("No ad account or page is chosen yet."))


async def _judge_leads(rest: Rest, grant: Grant, account: Account, lead_type: str, found: _Findings) -> Json:
    about: dict[str, Json] = {"account": account.name, "leadType": lead_type}
    asked: dict[str, Json] = {"q": "owner", "owner": owner(account), "leadType": {"leadType": lead_type}}
    try:
        async for listed in rest.rows("leadFormResponses", asked, "id"):
            about["hasLeads"] = bool(listed)
            break
        if grant.account(account.id) is not None:
            about["announced"] = await is_subscribed(rest, account, lead_type)
    except (BadProviderRequest, PermissionMissing) as problem:
        said = sentences(problem.detail, problem.remedy)
        found.wrong.append(
            Words("%(account)s, %(kind)s: %(problem)s", account=account.name, kind=lead_type, problem=said)
        )
        return about
    if about.get("announced") is False:
        found.wrong.append(
            Words(
                "Leads of %(account)s (%(kind)s) are not announced here: choose the accounts again.",
                account=account.name,
                kind=lead_type,
            )
        )
    return about


def _of(account: Account, reason: str) -> Words:
    return Words("%(account)s: %(problem)s", account=account.name, problem=Words(reason))
