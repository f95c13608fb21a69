"""OAuth 2.0 as a stand-in plays it: a page where a person agrees, and the addresses where tokens come from and go.

RFC 6749 with PKCE (RFC 7636), revocation (RFC 7009), introspection (RFC 7662) and `iss` (RFC 9207); how a provider differs
stands in its `Terms`. Time is the sandbox's own.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_plus, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from connector_master.sandbox.grants import Code, Grant, Ledger, Token
from connector_master.sandbox.terms import GIVEN, NO_STORE, Choice, Terms

if TYPE_CHECKING:
    from connector_master.sandbox.stand_in import StandIn


class Consent:
    """The OAuth half of a stand-in, which holds it as `consent`. `ledger` is what was granted so far."""

    def __init__(self, stand_in: "StandIn", terms: Terms) -> None:
        self.stand_in = stand_in
        self.terms = terms
        self.reset()

    def reset(self) -> None:
        """Forget every grant."""
        terms = self.terms
        now = self.stand_in.world.now
        self.ledger = Ledger(now, terms.access_prefix, terms.refresh_prefix, terms.token_bytes)

    def routes(self) -> list[BaseRoute]:
        """Return the addresses that OAuth needs."""
        terms = self.terms
        routes = [
            Route(terms.authorize_path, self._authorize, methods=["GET", "POST"]),
            Route(terms.token_path, self._token, methods=list(terms.token_methods)),
        ]
        if terms.revoke_path:
            routes.append(Route(terms.revoke_path, self._revoke, methods=["POST"]))
        if terms.introspect_path:
            routes.append(Route(terms.introspect_path, self._introspect, methods=["POST"]))
        return list(routes)

    # ---- for the stand-in -------------------------------------------------------------------------------

    def bearer(self, request: Request) -> Token | None:
        """Return the token that a call shows, by header or as `access_token`; None when it shows none."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        shown = text.strip() if scheme.lower() == "bearer" else request.query_params.get("access_token", "")
        return self.find(shown) if shown else None

    def find(self, text: str) -> Token:
        """Return the token with this text. One that begins with `sandbox` was made elsewhere: it may do everything."""
        found = self.ledger.find(text)
        if found.grant is None and text.startswith(GIVEN):
            grant = self.ledger.grant(str(self._client_id()), self._person(), self.terms.scopes)
            return self.ledger.issue(grant, None, text=text)
        return found

    def issue(self, grant: Grant, life: timedelta | None, *, account: str | None = None) -> Token:
        """Return one more access token of a grant: a longer-lived one, or an account's own."""
        return self.ledger.issue(grant, life, account=account)

    def answer(self, token: Token, refresh: Token | None = None) -> Response:
        """Return the token address's answer that hands out tokens."""
        terms = self.terms
        now = self.stand_in.world.now()
        said: dict[str, Any] = {"access_token": token.text}
        if token.expires_at is not None and not self._fault("no_expiry"):
            said["expires_in"] = int((token.expires_at - now).total_seconds())
        if refresh is not None:
            said["refresh_token"] = refresh.text
            if refresh.expires_at is not None:
                said["refresh_token_expires_in"] = int((refresh.expires_at - now).total_seconds())
        if terms.says_scopes and token.grant is not None:
            said["scope"] = (terms.granted_separator or terms.scope_separator).join(token.grant.scopes)
        if terms.type_said:
            said["token_type"] = terms.type_said
        return JSONResponse(said, headers=NO_STORE)

    def refused_client(self, asked: Mapping[str, str]) -> Response | None:
        """Return the refusal of an app whose id or secret is wrong, None for one that is known."""
        own_id, own_secret = (self.stand_in.set.get(name) for name in self.terms.client)
        is_known = _is_it(asked.get("client_id", ""), own_id) and _is_it(asked.get("client_secret", ""), own_secret)
        if is_known and not self._fault("invalid_client"):
            return None
        self._note("refused_clients")
        return self.terms.error("invalid_client", "The app is unknown, or its secret is wrong.", 401)

    def act(self, action: str) -> str:
        """Do what one of `CONSENT_ACTIONS` says; return what to tell."""
        if action == "expire_access":
            return f"{self.ledger.expire_access()} access token(s) have expired."
        return f"{self.ledger.revoke_all()} grant(s) were taken back."

    def state(self) -> dict[str, Any]:
        """Return what the control API shows: the grants, without their tokens."""
        return {"grants": [self._shown(grant) for grant in self.ledger.grants]}

    # ---- where people agree -----------------------------------------------------------------------------

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self._note("authorize")
        if wrong := self._wrong_request(asked):
            return _page("consent.html", {"title": self.terms.title, "wrong": wrong}, "", 400)
        if error := self._wrong_asking(asked):
            return self._back(asked, error)
        scopes = self._asked_scopes(asked)
        choices = {person: self._choices(person) for person in self.terms.persons}
        if request.method == "POST":
            form = await request.form()
            return self._decide(asked, str(form.get("decision", "")), self._ticked(scopes, form), form)
        decision = asked.get("auto") or str(self.stand_in.set.get("consents") or "ask")
        if decision in {"allow", "refuse", "partly"}:
            ticked = [one for one in scopes if decision != "partly" or one not in self._unticked(scopes)]
            return self._decide(asked, decision, ticked, None)
        shown = {
            "title": self.terms.title,
            "app": asked["client_id"],
            "where": urlsplit(asked["redirect_uri"]).netloc,
            "scopes": [(scope, self.terms.scopes.get(scope, "")) for scope in scopes],
            "all_or_none": self.terms.all_or_none,
            "persons": self.terms.persons,
            "person": self._person(),
            "choices": choices,
        }
        return _page("consent.html", shown, asked["redirect_uri"])

    def _wrong_request(self, asked: Mapping[str, str]) -> str | None:
        """Return why people can't be sent back, so that the page itself has to say it."""
        if not _is_it(asked.get("client_id", ""), self._client_id()):
            return "There is no app with this client_id."
        if not urlsplit(asked.get("redirect_uri", "")).scheme or "#" in asked["redirect_uri"]:
            return "redirect_uri is missing, or is no address."
        known = self.stand_in.set.get("redirectUris")
        if known and asked["redirect_uri"] not in known:
            return "redirect_uri_mismatch: this address is not among those registered for the app."
        return None

    def _wrong_asking(self, asked: Mapping[str, str]) -> dict[str, str] | None:
        """Return what to send people back with when the app asks wrongly."""
        terms = self.terms
        if asked.get("response_type") != "code":
            return {"error": "unsupported_response_type", "error_description": "response_type is to be code."}
        scopes = self._asked_scopes(asked)
        if not scopes:
            return {"error": terms.scope_refusal, "error_description": "No scope is asked for."}
        offered = self.stand_in.set.get("offeredScopes")
        known = terms.scopes if offered is None else offered
        for scope in scopes:
            if known and scope not in known:
                text = f'Scope "{scope}" is not authorized for your application'
                return {"error": terms.scope_refusal, "error_description": text}
        if terms.pkce != "none":
            method = asked.get("code_challenge_method", "plain")
            if asked.get("code_challenge") and method != "S256":
                return {"error": "invalid_request", "error_description": "code_challenge_method is to be S256."}
            if terms.pkce == "required" and not asked.get("code_challenge"):
                return {"error": "invalid_request", "error_description": "code_challenge is missing."}
        return None

    def _decide(
        self, asked: Mapping[str, str], decision: str, ticked: Sequence[str], form: FormData | None
    ) -> Response:
        if decision not in {"allow", "partly"}:
            self._note("refusals")
            return self._back(asked, self.terms.refusal)
        scopes = [*ticked, *(scope for scope in self.terms.always if scope not in ticked)]
        if self._fault("scope_unticked") and not self.terms.all_or_none:
            hidden = self._unticked(self._asked_scopes(asked))
            scopes = [scope for scope in scopes if scope not in hidden]
        client = asked["client_id"]
        person = str(form.get("person", "")) if form else self._person()
        if person not in self.terms.persons:
            person = self._person()
        is_first = not any(one.client == client and one.person == person for one in self.ledger.grants)
        grant = self.ledger.grant(client, person, scopes, self._chosen(person, form))
        gives_refresh = self.terms.has_refresh_tokens and (
            not self.terms.offline
            or (asked.get("access_type") == "offline" and (is_first or "consent" in asked.get("prompt", "")))
        )
        challenge = None if self.terms.pkce == "none" else asked.get("code_challenge") or None
        code = self.ledger.code(grant, asked["redirect_uri"], challenge, self.terms.code_life, gives_refresh)
        said = {"code": code.text}
        if self.terms.returns_scopes:
            said["scope"] = self.terms.scope_separator.join(scopes)
        return self._back(asked, said)

    def _back(self, asked: Mapping[str, str], said: Mapping[str, str]) -> Response:
        """Send the browser back to the app."""
        parameters = dict(said)
        if "state" in asked:
            parameters["state"] = "another-state" if self._fault("wrong_state") else asked["state"]
        if self._fault("wrong_issuer"):
            parameters["iss"] = "https://another-issuer.example"
        elif self.terms.issuer:
            parameters["iss"] = self.terms.issuer
        uri = asked["redirect_uri"]
        return RedirectResponse(uri + ("&" if "?" in uri else "?") + urlencode(parameters), 302, NO_STORE)

    def _asked_scopes(self, asked: Mapping[str, str]) -> list[str]:
        text = asked.get("scope", "").replace(self.terms.scope_separator, " ")
        return list(dict.fromkeys(text.split()))

    def _ticked(self, scopes: Sequence[str], form: FormData) -> list[str]:
        ticked = set(form.getlist("scope"))
        return [scope for scope in scopes if self.terms.all_or_none or scope in ticked]

    def _unticked(self, scopes: Sequence[str]) -> Sequence[str]:
        if self.terms.all_or_none:
            return ()
        unticked = self.stand_in.set.get("unticked")
        return [unticked] if isinstance(unticked, str) else unticked or scopes[:1]

    def _choices(self, person: str) -> Sequence[Choice]:
        return self.terms.accounts(person) if self.terms.accounts else ()

    def _chosen(self, person: str, form: FormData | None) -> frozenset[str] | None:
        if self.terms.accounts is None:
            return None
        offered = {id_ for id_, _ in self._choices(person)}
        chosen = form.getlist("account") if form else self.stand_in.set.get("accounts")
        return frozenset(offered if chosen is None else offered & {str(one) for one in chosen})

    # ---- where tokens come from and go ------------------------------------------------------------------

    async def _token(self, request: Request) -> Response:
        if slow := self._fault("token_slow"):
            await asyncio.sleep(1.0 if slow is True else float(slow))
        asked = await _parameters(request)
        kind = asked.get("grant_type") or ("authorization_code" if "code" in asked else "")
        self._note({"authorization_code": "code_exchanges", "refresh_token": "refreshes"}.get(kind, "other_exchanges"))
        if self._fault("token_down"):
            return self.terms.error("internal_failure", "Try again later.", 503)
        if self._fault("token_html"):
            return HTMLResponse("<html><body><h1>Be right back</h1></body></html>")
        if refused := self.refused_client(asked):
            return refused
        if kind == "authorization_code":
            answer = self._exchange(asked)
        elif kind == "refresh_token" and self.terms.has_refresh_tokens:
            answer = self._renew(asked)
        elif kind in self.terms.more_grants:
            answer = self.terms.more_grants[kind](self, asked)
        else:
            answer = self.terms.error("unsupported_grant_type", f"There is no grant_type {kind[:50]}.", 400)
        if answer.status_code >= 400:
            self._note("token_refusals")
        return answer

    def _exchange(self, asked: Mapping[str, str]) -> Response:
        code = self.ledger.find_code(asked.get("code", ""))
        if code is None or code.grant.client != asked.get("client_id"):
            return self._invalid_grant("Malformed auth code.")
        if code.is_used:
            # Somebody else may have used it first (RFC 6749, 4.1.2): what came of it ends too.
            code.grant.is_revoked = True
            return self._invalid_grant("The code was used before.")
        if self.stand_in.world.now() >= code.expires_at:
            return self._invalid_grant("The code has expired.")
        if asked.get("redirect_uri", "") != code.redirect_uri:
            return self._invalid_grant("redirect_uri is not the one that consent was asked with.")
        if not _is_verified(code, asked.get("code_verifier"), ignores=self.terms.pkce == "none"):
            return self._invalid_grant("code_verifier does not belong to code_challenge.")
        code.is_used = True
        grant = code.grant
        if self.terms.same_scopes:
            self._end_others(grant)
        refresh = None
        if code.gives_refresh and not self._fault("no_refresh_token"):
            life = self._life("refreshSeconds", self.terms.refresh_life)
            refresh = self.ledger.issue(grant, life, is_refresh=True)
            grant.ends_at = refresh.expires_at
        return self.answer(self._access(grant), refresh)

    def _renew(self, asked: Mapping[str, str]) -> Response:
        text = asked.get("refresh_token", "")
        token = self._given_refresh(text, asked["client_id"]) or self.ledger.find(text)
        grant = token.grant
        if grant is None or not token.is_refresh or grant.client != asked["client_id"]:
            return self._invalid_grant("Bad refresh token.")
        if token.is_revoked:
            # A rotated refresh token that comes back was stolen, or is its heir (RFC 9700, 4.14.2): all end.
            grant.is_revoked = True
        if not token.is_alive:
            return self._invalid_grant("Token has been expired or revoked.")
        if self.terms.rotates or self._fault("rotates"):
            token.is_revoked = True
            rest = None if token.expires_at is None else token.expires_at - self.stand_in.world.now()
            return self.answer(self._access(grant), self.ledger.issue(grant, rest, is_refresh=True))
        names_it = self.terms.repeats_refresh and not self._fault("no_refresh_token")
        return self.answer(self._access(grant), token if names_it else None)

    def _access(self, grant: Grant) -> Token:
        life = self._life("accessSeconds", self.terms.access_life)
        if grant.ends_at is not None:
            rest = grant.ends_at - self.stand_in.world.now()
            life = rest if life is None else min(life, rest)
        return self.ledger.issue(grant, life)

    def _given_refresh(self, text: str, client: str) -> Token | None:
        """Return the refresh token made elsewhere that begins with `sandbox`, when it comes for the first time."""
        if not text.startswith(GIVEN) or self.ledger.find(text).grant is not None:
            return None
        grant = self.ledger.grant(client, self._person(), self.terms.scopes)
        return self.ledger.issue(grant, None, is_refresh=True, text=text)

    def _end_others(self, grant: Grant) -> None:
        for one in self.ledger.grants:
            is_of_both = (one.client, one.person) == (grant.client, grant.person)
            if is_of_both and set(one.scopes) != set(grant.scopes):
                one.is_revoked = True

    async def _revoke(self, request: Request) -> Response:
        asked = await _parameters(request)
        self._note("revocations")
        if self._fault("token_down"):
            return self.terms.error("internal_failure", "Try again later.", 503)
        if "client_id" in asked and (refused := self.refused_client(asked)):
            return refused
        token = self.find(asked.get("token", ""))
        if token.grant is None or not token.is_alive:
            if self.terms.refuses_unknown_revocation:
                return self.terms.error("invalid_token", "Token expired or revoked", 400)
        else:
            token.grant.is_revoked = True
        return JSONResponse({}, headers=NO_STORE)

    async def _introspect(self, request: Request) -> Response:
        asked = await _parameters(request)
        self._note("introspections")
        if self._fault("token_down"):
            return self.terms.error("internal_failure", "Try again later.", 503)
        if refused := self.refused_client(asked):
            return refused
        return JSONResponse(self.terms.introspection(self.find(asked.get("token", ""))), headers=NO_STORE)

    # ---- small things -----------------------------------------------------------------------------------

    def _invalid_grant(self, description: str) -> Response:
        return self.terms.error("invalid_grant", description, 400)

    def _client_id(self) -> Any:
        return self.stand_in.set.get(self.terms.client[0])

    def _person(self) -> str:
        wanted = self.stand_in.set.get("person")
        return wanted if wanted in self.terms.persons else self.terms.persons[0]

    def _life(self, setting: str, otherwise: timedelta | None) -> timedelta | None:
        wanted = self.stand_in.set.get(setting)
        return otherwise if wanted is None else timedelta(seconds=float(wanted))

    def _fault(self, name: str) -> Any:
        return self.stand_in.fault(name)

    def _note(self, what: str) -> None:
        """Count, apart from the calls of the API itself."""
        self.stand_in.counts[what] += 1
        self.stand_in.calls.append({"at": self.stand_in.world.now().isoformat(), "outcome": what})

    def _shown(self, grant: Grant) -> dict[str, Any]:
        access, refresh = (self.ledger.of(grant, is_refresh=is_refresh) for is_refresh in (False, True))
        return {
            "client": grant.client,
            "person": grant.person,
            "scopes": list(grant.scopes),
            "accounts": None if grant.accounts is None else sorted(grant.accounts),
            "beganAt": grant.began_at.isoformat(),
            "isRevoked": grant.is_revoked,
            "accessTokens": sum(one.is_alive for one in access),
            "refreshTokens": sum(one.is_alive for one in refresh),
        }


_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)


def _page(template: str, shown: Mapping[str, Any], leads_to: str, status: int = 200) -> Response:
    # Browsers hold the redirect that answers a form to form-action as well.
    parts = urlsplit(leads_to)
    target = f" {parts.scheme}://{quote(parts.netloc, safe=':[]@')}" if parts.netloc else ""
    policy = f"default-src 'none'; style-src 'self'; form-action 'self'{target}; frame-ancestors 'none'"
    headers = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(_TEMPLATES.get_template(template).render(shown), status, headers | NO_STORE)


async def _parameters(request: Request) -> dict[str, str]:
    """Return what was sent by query, form and HTTP Basic, where an app may show who it is."""
    asked = dict(request.query_params)
    if request.method == "POST":
        asked |= {name: str(value) for name, value in (await request.form()).items()}
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(text).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return asked
        asked |= {"client_id": unquote_plus(name), "client_secret": unquote_plus(secret)}
    return asked


def _is_it(shown: str, own: Any) -> bool:
    if own is None:
        return shown.startswith(GIVEN)
    return hmac.compare_digest(shown.encode(), str(own).encode())


def _is_verified(code: Code, verifier: str | None, *, ignores: bool) -> bool:
    if ignores:
        return True
    if code.challenge is None:
        return not verifier
    digest = hashlib.sha256((verifier or "").encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), code.challenge)
