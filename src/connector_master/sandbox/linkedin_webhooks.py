"""Where the stand-in for LinkedIn tells of leads: subscriptions, the challenge that their addresses pass, and signatures."""

import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from connector_master.sandbox.linkedin_forms import Owner, owner_shown

if TYPE_CHECKING:
    from connector_master.sandbox.world import World

MOST_PER_OWNER = 1500

_FIRST_ID = 8_800_001
_AGAIN_AFTER = timedelta(hours=2)
_MOST_FAILURES = 3
_PATIENCE_SECONDS = 3.0
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(slots=True)
class Subscription:
    """An address that is told of an owner's leads of one type, or of one form; blocked after three failures in a row."""

    id: int
    webhook: str
    owner: Owner
    lead_type: str
    form: str | None
    passed_at: datetime
    failures: int = 0

    @property
    def is_blocked(self) -> bool:
        """Return whether it is told of nothing until a person unblocks it in the portal."""
        return self.failures >= _MOST_FAILURES

    def shown(self) -> dict[str, Any]:
        """Return it as LinkedIn lists it."""
        about = {
            "id": self.id,
            "webhook": self.webhook,
            "owner": owner_shown(self.owner),
            "leadType": self.lead_type,
        }
        return about | ({"versionedForm": self.form} if self.form else {})


class Subscriptions:
    """All subscriptions of the app."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._next_id = _FIRST_ID
        self.all: list[Subscription] = []

    def of(self, owner: Owner, lead_type: str | None) -> list[Subscription]:
        """Return an owner's subscriptions, the oldest first."""
        return [one for one in self.all if one.owner == owner and lead_type in (None, one.lead_type)]

    def add(self, webhook: str, owner: Owner, lead_type: str, form: str | None) -> Subscription:
        """Note one whose address has passed the challenge."""
        made = Subscription(self._next_id, webhook, owner, lead_type, form, self._world.now())
        self._next_id += 1
        self.all.append(made)
        return made

    def remove(self, id_: str) -> bool:
        """Forget one; return whether it was there."""
        before = len(self.all)
        self.all = [one for one in self.all if str(one.id) != id_]
        return len(self.all) < before

    async def passes(self, url: str, secret: str) -> bool:
        """Return whether an address proves, in time, that it knows the app's secret."""
        code = str(uuid.uuid4())
        try:
            answer = await self._world.http.get(url, params={"challengeCode": code}, timeout=_PATIENCE_SECONDS)
            said = answer.json()
        except (httpx2.HTTPError, ValueError):
            return False
        is_json = answer.headers.get("content-type", "").partition(";")[0] == "application/json"
        expected = {
            "challengeCode": code,
            "challengeResponse": hmac.digest(secret.encode(), code.encode(), "sha256").hex(),
        }
        return bool(answer.status_code == 200 and is_json and said == expected)

    async def still_passes(self, one: Subscription, secret: str) -> bool:
        """Challenge an address as often as was due since the last time; return whether it may be told of leads."""
        while not one.is_blocked and self._world.now() - one.passed_at >= _AGAIN_AFTER:
            if await self.passes(one.webhook, secret):
                one.passed_at, one.failures = self._world.now(), 0
            else:
                one.passed_at += _AGAIN_AFTER
                one.failures += 1
        return not one.is_blocked

    def notice(self, webhook: str, body: Mapping[str, Any], secret: str | None, *, way: str) -> httpx2.Request:
        """Return a notice on its way; `way` is documented, bare or prefixed. Without a secret it is not signed."""
        content = json.dumps(body, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        if secret is not None:
            signed = content if way == "bare" else b"hmacsha256=" + content
            digest = hmac.digest(secret.encode(), signed, "sha256").hex()
            headers["X-LI-Signature"] = f"hmacsha256={digest}" if way == "prefixed" else digest
        return self._world.http.build_request("POST", webhook, content=content, headers=headers)


def why_refused(webhook: str) -> str | None:
    """Return why an address can't be subscribed, None for one that can. This machine's own needs no HTTPS here."""
    parts = urlsplit(webhook)
    is_here = parts.hostname in _HERE
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
        return "webhook has to begin with https"
    if not parts.hostname or parts.query or parts.fragment or parts.hostname.endswith((".ngrok.io", ".ngrok.app")):
        return "webhook is not an address that can be used"
    return None
