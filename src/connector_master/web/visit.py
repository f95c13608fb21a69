"""A visit: one request of one person, and the answers that pages give."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote, urlencode
from uuid import UUID

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from connector_master.access.caller import Caller
from connector_master.access.roles import Permission
from connector_master.access.sessions import LONGEST, cookie_name
from connector_master.model.problem import NotFound
from connector_master.services.hub import Hub
from connector_master.services.sessions import Visitor
from connector_master.web.language import _
from connector_master.web.rendering import render

_NEWS = "news"
_NEWS_SECONDS = 60


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Extra:
    """What handlers add to the headers of the answer."""

    form_targets: list[str] = field(default_factory=list)
    news_was_shown: bool = False


class Visit:
    """One request. `hub` is what services work with; `caller` whoever is signed in, who must be on pages that ask for it."""

    def __init__(self, request: Request, hub: Hub, visitor: Visitor | None, form: FormData) -> None:
        self.request = request
        self.hub = hub
        self.visitor = visitor
        self.form = form
        self.extra = _Extra()

    @property
    def caller(self) -> Caller:
        """Whoever is signed in."""
        assert self.visitor is not None, "only pages for everybody are shown to strangers"
        return self.visitor.caller

    @property
    def ip(self) -> str:
        """The address that the request came from."""
        return self.request.client.host if self.request.client else ""

    @property
    def is_fragment(self) -> bool:
        """Whether a script asks for a piece of a page, to put it in place."""
        return "hx-request" in self.request.headers and "hx-history-restore-request" not in self.request.headers

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The address's parameters without empty ones: a form sends those too."""
        return {name: value for name, value in self.request.query_params.items() if value.strip()}

    @cached_property
    def fields(self) -> Mapping[str, str]:
        """The form's texts, the last of repeated names."""
        return {name: value for name, value in self.form.multi_items() if isinstance(value, str) and name != "csrf"}

    def asked(self, name: str) -> str:
        """Return a parameter of the address, empty where it is missing."""
        return self.query.get(name, "")

    def asked_id(self, name: str) -> UUID | None:
        """Return an id among the address's parameters, None for what is missing or can't be one."""
        return _uuid(self.asked(name))

    def field_id(self, name: str) -> UUID | None:
        """Return an id in the form, None for what is missing or can't be one."""
        return _uuid(self.field(name))

    def field(self, name: str) -> str:
        """Return a text of the form, empty where it is missing."""
        return self.fields.get(name, "")

    def many(self, name: str) -> list[str]:
        """Return every text that the form has under a name."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]

    def upload(self, name: str) -> UploadFile | None:
        """Return a file of the form, None where none was chosen."""
        value = self.form.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None

    def id(self, name: str = "id") -> UUID:
        """Return an id from the address. Raises NotFound for what can't be one."""
        try:
            return UUID(self.request.path_params[name])
        except ValueError:
            raise NotFound(_("Nothing here has this id.")) from None

    def may(self, permission: str | Permission) -> bool:
        """Return whether whoever is signed in may do `permission`."""
        return self.visitor is not None and self.visitor.caller.may(Permission(permission))

    def allow_forms_to(self, origin: str) -> None:
        """Let this page's forms lead to another site, such as a provider where a person agrees."""
        self.extra.form_targets.append(origin)

    def show(self, template: str, /, status: int = 200, **values: Any) -> Response:
        """Return a page, or a fragment of one, made of `template`."""
        return HTMLResponse(
            render(template, self._around() | values, self.visitor.token if self.visitor else None), status
        )

    def go(self, path: str, news: str | None = None) -> Response:
        """Send the browser to another of our pages, which shows `news` once."""
        assert path.startswith("/")
        assert not path.startswith("//")
        response: Response
        response = Response(headers={"HX-Redirect": path}) if self.is_fragment else RedirectResponse(path, 303)
        if news is not None:
            response.set_cookie(
                _NEWS, quote(news), max_age=_NEWS_SECONDS, httponly=True, samesite="lax", secure=self.is_https
            )
        return response

    def address(self, **changes: object) -> str:
        """Return this page's address with `changes` in its parameters; None takes one away."""
        wanted = dict(self.query) | {name: str(value) for name, value in changes.items() if value is not None}
        kept = {name: value for name, value in wanted.items() if not (name in changes and changes[name] is None)}
        return self.request.url.path + (f"?{urlencode(kept)}" if kept else "")

    @property
    def is_https(self) -> bool:
        """Whether others reach us over HTTPS."""
        return self.hub.address.startswith("https://")

    def remember(self, response: Response, token: str) -> Response:
        """Put the session's token into the browser's cookie."""
        response.set_cookie(
            cookie_name(is_https=self.is_https),
            token,
            max_age=int(LONGEST.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=self.is_https,
        )
        return response

    def forget(self, response: Response) -> Response:
        """Take the session's token out of the browser."""
        response.delete_cookie(cookie_name(is_https=self.is_https), httponly=True, samesite="lax", secure=self.is_https)
        return response

    def take_news_away(self, response: Response) -> None:
        """Let news that was shown not be shown again."""
        if self.extra.news_was_shown and _NEWS in self.request.cookies:
            response.delete_cookie(_NEWS, httponly=True, samesite="lax", secure=self.is_https)

    def _around(self) -> dict[str, Any]:
        return {
            "visit": self,
            "visitor": self.visitor,
            "may": self.may,
            "path": self.request.url.path,
            "news": self._news,
        }

    def _news(self) -> str:
        self.extra.news_was_shown = True
        return unquote(self.request.cookies.get(_NEWS, ""))[:500]


def safe_path(text: str) -> str:
    """Return `text` when it is a path of ours, else the front page: nobody is led elsewhere (ASVS 3.7.2).

    >>> safe_path("/leads?q=asha"), safe_path("//evil.example"), safe_path("/\\\\evil.example")
    ('/leads?q=asha', '/', '/')
    """
    is_ours = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_ours else "/"


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
