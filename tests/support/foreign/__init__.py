"""An authorization server that others wrote (Django OAuth Toolkit), at Google's paths: our OAuth meets one that isn't ours.

It is as strict as RFC 9700 wants it: PKCE by S256 only, codes that count once, refresh tokens that are replaced at every use
and whose second use ends them all, the client's secret. Beside it lies a corner of the Google Ads API, which lets in whom the
server's tokens let in.
"""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import django
import httpx2
from django.apps import apps
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.utils import timezone

from tests.support.foreign.calls import CALLS, Call
from tests.support.foreign.holding import Holding
from tests.support.serving import serving

SCOPE = "https://www.googleapis.com/auth/adwords"
CLIENT_ID = "foreign-client"
CLIENT_SECRET = "foreign secret, with + / & % and ü"

Result = TypeVar("Result")

_folder = TemporaryDirectory(prefix="cm-foreign-")
_database = ThreadPoolExecutor(1)
"""Django keeps its database from threads that run an event loop, as tests do."""


@dataclass
class Foreign:
    """The running server, and what the person and the owner of the app do there."""

    url: str
    holding: Holding
    calls: list[Call] = field(default_factory=lambda: CALLS)

    def register(self, redirect_uri: str) -> None:
        """Make the app known, with its one redirect address; whatever was before is forgotten."""
        _in_database(lambda: _register(redirect_uri))
        self.calls.clear()

    def consent(self, authorization_url: str, *, allows: bool = True) -> dict[str, str]:
        """Open the address in the person's browser, press a button; return what the browser is sent back with."""
        with httpx2.Client(timeout=30, trust_env=False) as browser:
            answer = browser.get(authorization_url)
            if answer.status_code == 200:
                form = _Form(answer.text).hidden | ({"allow": "Authorize"} if allows else {})
                answer = browser.post(authorization_url, data=form)
        assert answer.status_code == 302, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    def end_access_tokens(self) -> None:
        """Let the life of every access token be over."""
        past = timezone.now() - timedelta(minutes=1)
        _in_database(lambda: _model("AccessToken").objects.update(expires=past))

    def take_back(self) -> None:
        """Take back what was agreed to, as a person does on the provider's page of connected apps."""

        def revoke() -> None:
            for one in _model("RefreshToken").objects.filter(revoked=None):
                one.revoke()

        _in_database(revoke)

    def refresh_tokens(self, *, alive: bool) -> list[str]:
        """Return the refresh tokens that count, or those that don't any more, the oldest first."""
        found = _model("RefreshToken").objects.filter(revoked__isnull=alive).order_by("id")
        return _in_database(lambda: list(found.values_list("token", flat=True)))

    def access_tokens(self) -> list[str]:
        """Return the access tokens that are known."""
        return _in_database(lambda: list(_model("AccessToken").objects.values_list("token", flat=True)))

    def token_calls(self, grant_type: str | None = None) -> list[Call]:
        """Return the calls of the token address, those for one kind of grant or all."""
        found = [one for one in self.calls if one.path == "/token"]
        return [one for one in found if grant_type is None or one.form.get("grant_type") == grant_type]


@contextlib.contextmanager
def running_foreign() -> Iterator[Foreign]:
    """Run the server on a free port of loopback."""
    holding = Holding(_application())
    with serving(holding) as url:
        # What it says of itself in every return (RFC 9207).
        apps.get_app_config("oauth2_provider").module.settings.oauth2_settings.OIDC_ISS_ENDPOINT = url
        yield Foreign(url, holding)


class _Form(HTMLParser):
    """The hidden fields of the page on which a person agrees."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a field."""
        told = dict(attrs)
        if tag == "input" and told.get("type") == "hidden" and told.get("name"):
            self.hidden[told["name"] or ""] = told.get("value") or ""


@cache
def _application() -> Any:
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(_folder.name) / "foreign.sqlite3"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
        LOGGING={"version": 1, "loggers": {"django": {"level": "ERROR"}}},
        MIDDLEWARE=[
            "tests.support.foreign.calls.recorded",
            "django.middleware.csrf.CsrfViewMiddleware",
            "tests.support.foreign.site.signed_in",
        ],
        OAUTH2_PROVIDER={
            "SCOPES": {SCOPE: "See the leads of your campaigns"},
            "ACCESS_TOKEN_EXPIRE_SECONDS": 3599,
            "PKCE_REQUIRED": True,
            "ROTATE_REFRESH_TOKEN": True,
            "REFRESH_TOKEN_REUSE_PROTECTION": True,
            "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
            "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
            "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
        },
        ROOT_URLCONF="tests.support.foreign.site",
        SECRET_KEY="this server's own",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        USE_TZ=True,
    )
    django.setup()
    _in_database(lambda: call_command("migrate", verbosity=0))
    return get_asgi_application()


def _register(redirect_uri: str) -> None:
    _model("User", "auth").objects.all().delete()
    application = _model("Application")
    application.objects.all().delete()
    _model("User", "auth").objects.create_user("asha")
    application.objects.create(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        client_type=application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=redirect_uri,
        name="Connector Master",
    )


def _model(name: str, app: str = "oauth2_provider") -> Any:
    return apps.get_model(app, name)


def _in_database(use: Callable[[], Result]) -> Result:
    return _database.submit(use).result(30)
