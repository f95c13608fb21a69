"""Google's OAuth: what is asked for, what its refusals mean, and how a grant is taken back."""

from typing import Any

import pytest

from connector_master.connectors.google_oauth import explain, google_oauth, revoke
from connector_master.connectors.oauth import App, Tokens
from connector_master.model.problem import (
    AppRefused,
    AuthorizationNeeded,
    BadProviderRequest,
    PermissionMissing,
    Problem,
    ProviderLimited,
    ProviderUnavailable,
    TokenRefused,
)
from connector_master.outbound.client import Answer
from tests.connectors.scripted import answer


class Forms:
    """Answers a POST and keeps its form."""

    def __init__(self, given: Answer) -> None:
        self.given = given
        self.posted: list[tuple[str, Any]] = []

    async def get(self, path: str, *_: Any, **__: Any) -> Answer:
        raise AssertionError(path)

    async def post(self, path: str, *_: Any, form: Any = None, **__: Any) -> Answer:
        self.posted.append((path, form))
        return self.given

    async def delete(self, path: str, *_: Any, **__: Any) -> Answer:
        raise AssertionError(path)


def test_a_refresh_token_is_asked_for_each_time() -> None:
    oauth = google_oauth("https://www.googleapis.com/auth/adwords")

    assert oauth.asks == {"access_type": "offline", "prompt": "consent", "include_granted_scopes": "true"}
    assert (oauth.browser.base + oauth.authorize_path) == "https://accounts.google.com/o/oauth2/v2/auth"
    assert (oauth.server.base + oauth.token_path) == "https://oauth2.googleapis.com/token"
    assert (oauth.browser.setting, oauth.server.setting) == ("GOOGLE_OAUTH_URL", "GOOGLE_TOKEN_URL")
    assert (oauth.uses_pkce, oauth.app_setting, oauth.app) == (True, "GOOGLE", ("clientId", "clientSecret"))


@pytest.mark.parametrize(
    ("error", "description", "kind", "remedy"),
    [
        ("invalid_grant", "Token has been expired or revoked.", TokenRefused, "publish the app"),
        ("invalid_grant", "reauth related error (invalid_rapt)", TokenRefused, "Workspace administrator"),
        ("invalid_client", "The OAuth client was not found.", AppRefused, "client ID"),
        ("deleted_client", "The OAuth client was deleted.", AppRefused, "client ID"),
        ("redirect_uri_mismatch", "Bad Request", AppRefused, "redirect URIs"),
        ("access_denied", "", AuthorizationNeeded, "test user"),
        ("admin_policy_enforced", "", PermissionMissing, "Workspace administrator"),
        ("org_internal", "", PermissionMissing, "External"),
        ("invalid_scope", "", AppRefused, "Enable the API"),
        ("internal_failure", "", ProviderUnavailable, "tried again"),
        ("temporarily_unavailable", "", ProviderUnavailable, "tried again"),
        ("rate_limit_exceeded", "", ProviderLimited, "waits"),
        ("invalid_request", "Missing parameter", BadProviderRequest, "settings"),
    ],
)
def test_a_refusal_says_what_to_do(error: str, description: str, kind: type[Problem], remedy: str) -> None:
    problem = explain(error, description)

    assert type(problem) is kind
    assert remedy in problem.remedy
    assert error in problem.detail
    assert description.rstrip(".") in problem.detail


def test_an_error_that_nobody_knows_is_left_to_the_protocol() -> None:
    assert explain("something_new", "") is None


@pytest.mark.parametrize(
    "given", [answer({}), answer(b""), answer({"error": "invalid_token"}, 400), answer({"error": "invalid_grant"}, 400)]
)
async def test_a_grant_is_taken_back_whole_and_a_dead_one_is_no_problem(given: Answer) -> None:
    google = Forms(given)

    await revoke(google, App("id", "secret"), None, Tokens("access", "refresh"))

    assert google.posted == [("/revoke", {"token": "refresh"})]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer("<html>", 502), ProviderUnavailable),
        (answer({"error": "internal_failure"}, 503), ProviderUnavailable),
        (answer({"error": "rate_limit"}, 429), ProviderLimited),
        (answer({"error": ["odd"]}, 400), ProviderUnavailable),
        (answer([], 400), ProviderUnavailable),
    ],
)
async def test_a_grant_that_google_does_not_take_back_is_a_problem(given: Answer, kind: type[Problem]) -> None:
    with pytest.raises(Problem) as raised:
        await revoke(Forms(given), None, None, Tokens("secret-access"))

    assert type(raised.value) is kind
    assert "secret-access" not in raised.value.detail
