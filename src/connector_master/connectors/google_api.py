"""The Google Ads API: its two calls, at the version that the settings name, on behalf of one account."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, Field, field_validator

from connector_master.connectors.forms import Form, PullSettings, Secret
from connector_master.connectors.google_errors import Fault, fault_in, problem_of
from connector_master.connectors.oauth import Grant
from connector_master.model.json import Json, as_list
from connector_master.model.problem import Problem, ProviderUnavailable
from connector_master.outbound.client import Answer, Client

BASE = "https://googleads.googleapis.com"
DEFAULT_VERSION = "v26"

_FIRST_WITHOUT_DEVELOPER_TOKEN = 26
_MOST_PAGES = 2_000
_NOT_DIGITS = re.compile(r"[^0-9]")
_DOCUMENTED = frozenset(
    {
        "results",
        "nextPageToken",
        "fieldMask",
        "queryResourceConsumption",
        "requestId",
        "totalResultsCount",
        "summaryRow",
    }
)
_PAGE_TOKENS = frozenset({"INVALID_PAGE_TOKEN", "EXPIRED_PAGE_TOKEN"})


class Settings(PullSettings):
    """Which version of the API is called."""

    api_version: str = Field(
        default=DEFAULT_VERSION,
        pattern=r"^v[0-9]{1,3}$",
        title="Google Ads API version",
        description="The version of Google's API that is called, such as v26. A version lives about a year.",
    )


class Credentials(Form):
    """The app at Google, and which account is asked. Nothing of it is needed for leads that Google pushes."""

    # Ids are numbers at Google, and come as such from scripts.
    model_config = ConfigDict(coerce_numbers_to_str=True)

    client_id: str | None = Field(
        default=None,
        max_length=300,
        title="Client ID",
        description="Of the OAuth client (type: web application) in your Google Cloud project, under Clients.",
    )
    client_secret: Secret | None = Field(
        default=None,
        title="Client secret",
        description="Beside the client ID.",
        json_schema_extra={"secret": True},
    )
    customer_id: str | None = Field(
        default=None,
        pattern=r"^[0-9]{1,20}$",
        title="Customer ID",
        description="The Google Ads account with the lead forms, such as 123-456-7890. Empty: choose one after connecting.",
    )
    login_customer_id: str | None = Field(
        default=None,
        pattern=r"^[0-9]{1,20}$",
        title="Login customer ID",
        description="The manager account through which the account is reached. Empty where there is none.",
    )
    developer_token: Secret | None = Field(
        default=None,
        title="Developer token",
        description="Only for versions of the API before v26; Google has no use for it since September 2026.",
        json_schema_extra={"secret": True},
    )
    refresh_token: Secret | None = Field(
        default=None,
        title="Refresh token",
        description="One that was made elsewhere for the scope adwords, instead of connecting here.",
        json_schema_extra={"secret": True},
    )

    @field_validator("customer_id", "login_customer_id", mode="before")
    @classmethod
    def _without_dashes(cls, value: Any) -> Any:
        # People copy 123-456-7890 from Google's page, at times with blanks or other dashes.
        return re.sub(r"[\s\-\u2010-\u2015]", "", value) or None if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Customer:
    """A Google Ads account to be asked, and the manager account through which it is reached."""

    id: str
    login_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """One page of an answer, and the token of the next page."""

    rows: list[Json]
    next_token: str | None = None


class PageTokenRefused(ProviderUnavailable):
    """Google no longer knows the token of a page: the same question has to be asked from its first page."""


async def list_accessible(client: Client, grant: Grant, settings: Settings) -> list[str]:
    """Return the ids of the accounts that the token reaches directly. Raises what a refusal means."""
    path = f"/{settings.api_version}/customers:listAccessibleCustomers"
    answer = await client.get(path, headers=_headers(grant, settings, None))
    body = _good(answer, grant, settings)
    if not isinstance(body, dict) or not isinstance(body.get("resourceNames", []), list):
        raise ProviderUnavailable("Google sent no list of accounts.")
    ids = [_NOT_DIGITS.sub("", name) for name in as_list(body.get("resourceNames")) if isinstance(name, str)]
    return list(dict.fromkeys(filter(None, ids)))


async def search(
    client: Client, grant: Grant, settings: Settings, customer: Customer, query: str, page_token: str | None = None
) -> Rows:
    """Return one page of what `query` (GAQL) finds in an account. Raises what a refusal means, or PageTokenRefused."""
    # The size of a page is Google's own: naming one is refused.
    asked: dict[str, Json] = {"query": query, "pageToken": page_token} if page_token else {"query": query}
    path = f"/{settings.api_version}/customers/{customer.id}/googleAds:search"
    answer = await client.post(path, json=asked, headers=_headers(grant, settings, customer.login_id))
    body = _good(answer, grant, settings)
    found: list[Json] = []
    token: str | None = None
    # searchStream sends its pages as an array; whatever stands between may have asked it instead.
    for page in body if isinstance(body, list) else [body]:
        rows = page.get("results", []) if isinstance(page, dict) and (not page or _DOCUMENTED & page.keys()) else None
        if not isinstance(page, dict) or not isinstance(rows, list):
            raise ProviderUnavailable(f"Google sent no rows of the kind that it documents (HTTP {answer.status}).")
        found += rows
        following = page.get("nextPageToken")
        token = following if isinstance(following, str) and following else None
    return Rows(found, token)


async def search_all(
    client: Client, grant: Grant, settings: Settings, customer: Customer, query: str
) -> AsyncIterator[list[Json]]:
    """Yield every page of what `query` finds. Raises as `search` does."""
    token: str | None = None
    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        page = await search(client, grant, settings, customer, query, token)
        yield page.rows
        token = page.next_token
        if token is None:
            return
        if token in seen:
            break
        seen.add(token)
    raise ProviderUnavailable("Google's pages do not end: a page was followed by one that had been read.")


def customer_number(id_: str) -> str:
    """Return an account's id as Google's pages show it.

    >>> customer_number("1234567890"), customer_number("7")
    ('123-456-7890', '7')
    """
    return f"{id_[:3]}-{id_[3:6]}-{id_[6:]}" if len(id_) == 10 else id_


def _headers(grant: Grant, settings: Settings, login_id: str | None) -> Mapping[str, str]:
    headers = {"Authorization": f"Bearer {grant.access_token}"}
    if login_id:
        headers["login-customer-id"] = login_id
    developer_token = getattr(grant.credentials, "developer_token", None)
    if developer_token and int(settings.api_version[1:]) < _FIRST_WITHOUT_DEVELOPER_TOKEN:
        headers["developer-token"] = developer_token
    return headers


def _good(answer: Answer, grant: Grant, settings: Settings) -> Json:
    fault = fault_in(answer)
    if fault is not None:
        raise _problem(fault, grant, settings)
    return answer.json()


def _problem(fault: Fault, grant: Grant, settings: Settings) -> Problem:
    if _PAGE_TOKENS.intersection(fault.codes):
        return PageTokenRefused(
            "Google no longer knew the next page of its answer; it is asked again from the first one."
        )
    developer_token = getattr(grant.credentials, "developer_token", None)
    app_secret = grant.app.secret if grant.app else None
    return problem_of(fault, settings.api_version, grant.access_token, developer_token, app_secret)
