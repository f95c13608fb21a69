"""Google Ads accounts: what one grant reaches, directly or through manager accounts, and which of them are asked.

Managers hold no leads. A client of one is reached only with the manager's id in `login-customer-id`, so that id is kept
with the account.
"""

from collections.abc import Mapping, Sequence

from connector_master.connectors.google_api import (
    Credentials,
    Customer,
    Settings,
    customer_number,
    list_accessible,
    search_all,
)
from connector_master.connectors.identity import sent_id
from connector_master.connectors.oauth import Account, Grant
from connector_master.model.json import Json, as_object
from connector_master.model.problem import CredentialsRefused, PermissionMissing, Problem, TokenRefused
from connector_master.model.words import Words
from connector_master.outbound.client import Client

LOGIN = "loginCustomerId"

_CLIENTS = (
    "SELECT customer_client.id, customer_client.descriptive_name, customer_client.manager, customer_client.level, "
    "customer_client.status, customer_client.time_zone, customer_client.test_account FROM customer_client"
)
"""An account and, where it is a manager, all beneath it, however deep."""

_CLOSED = {
    "CANCELED": Words("The account is cancelled."),
    "CANCELLED": Words("The account is cancelled."),
    "CLOSED": Words("The account is closed."),
    "SUSPENDED": Words("Google has suspended the account."),
}
_MANAGER = Words("A manager account holds no leads: choose the accounts beneath it.")


async def accounts(client: Client, grant: Grant, settings: Settings) -> Sequence[Account]:
    """Return every account that the grant reaches, directly reached ones as such.

    One that can't be asked is there too and says why; it hides no other. Raises where none can be asked.
    """
    direct = await list_accessible(client, grant, settings)
    credentials = _credentials(grant)
    roots = [Customer(id_) for id_ in direct]
    if credentials.login_customer_id and credentials.login_customer_id not in direct:
        roots.append(Customer(credentials.login_customer_id, credentials.login_customer_id))
    found: dict[str, Account] = {}
    refused: dict[Customer, Problem] = {}
    for root in roots:
        try:
            async for rows in search_all(client, grant, settings, root, _CLIENTS):
                for row in rows:
                    _note(found, root, as_object(as_object(row).get("customerClient")))
        except (TokenRefused, PermissionMissing):
            raise
        except CredentialsRefused as problem:
            refused[root] = problem
    if refused and len(refused) == len(roots):
        raise next(iter(refused.values()))
    for root, why in refused.items():
        # A manager account may reach what refuses directly.
        found.setdefault(root.id, _refused(root, why))
    return sorted(found.values(), key=lambda one: (not one.is_selectable, one.name.casefold(), one.id))


async def customers(client: Client, grant: Grant, settings: Settings) -> Sequence[Customer]:
    """Return the accounts that are asked: the chosen ones, else what the credentials name, else all that can be asked.

    Raises CredentialsRefused where there is none, and as `accounts` does.
    """
    credentials = _credentials(grant)
    if grant.accounts:
        return [_customer(one, credentials) for one in grant.accounts]
    if credentials.customer_id:
        return [Customer(credentials.customer_id, credentials.login_customer_id)]
    reached = await grant.memory.get("google/accounts", lambda: accounts(client, grant, settings))
    if chosen := [_customer(one, credentials) for one in reached if one.is_selectable]:
        return chosen
    raise CredentialsRefused(
        "The Google account that agreed reaches no Google Ads account that can be asked for leads.",
        remedy="Connect with a user of the Google Ads account, or enter its customer ID and, where it belongs to a manager "
        "account, the manager's as the login customer ID.",
    )


def _credentials(grant: Grant) -> Credentials:
    return grant.credentials if isinstance(grant.credentials, Credentials) else Credentials()


def _customer(account: Account, credentials: Credentials) -> Customer:
    if LOGIN in account.details:
        return Customer(account.id, sent_id(account.details[LOGIN]))
    return Customer(account.id, credentials.login_customer_id)


def _note(found: dict[str, Account], root: Customer, shown: Mapping[str, Json]) -> None:
    id_ = sent_id(shown.get("id")) or (sent_id(str(shown.get("resourceName") or "").rpartition("/")[2]))
    if id_ is None:
        return
    is_direct = id_ == root.id
    known = found.get(id_)
    # What is reached both ways is asked directly: the longer way breaks when somebody leaves the manager account.
    if known is not None and not (is_direct and known.details.get(LOGIN)):
        return
    name = shown.get("descriptiveName")
    status = str(shown.get("status") or "")
    is_manager = shown.get("manager") is True
    reason = _MANAGER if is_manager else _CLOSED.get(status)
    found[id_] = Account(
        id=id_,
        name=name.strip() if isinstance(name, str) and name.strip() else customer_number(id_),
        kind="manager" if is_manager else "account",
        is_selectable=reason is None,
        reason=reason,
        details={
            LOGIN: root.login_id if is_direct else root.id,
            "number": customer_number(id_),
            "timeZone": _text(shown.get("timeZone")),
            "status": status or None,
            "isTestAccount": shown.get("testAccount") is True,
        },
    )


def _refused(root: Customer, problem: Problem) -> Account:
    return Account(
        id=root.id,
        name=customer_number(root.id),
        kind="account",
        is_selectable=False,
        reason=problem.detail,
        details={LOGIN: root.login_id, "number": customer_number(root.id)},
    )


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None
