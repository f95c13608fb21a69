"""Declaring pages: each says who may see it, and only a form of ours can change anything."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum

from starlette.responses import Response

from connector_master.access.roles import Permission
from connector_master.web.visit import Visit

Handler = Callable[[Visit], Awaitable[Response]]


class Everybody(Enum):
    """Who may see a page that no single permission guards."""

    STRANGERS = "strangers"
    """Also who is not signed in."""
    SIGNED_IN = "signed in"
    """Every role."""
    NEWCOMERS = "newcomers"
    """Every role, also while the one-time password has not been changed."""


Who = Permission | Everybody


@dataclass(frozen=True, slots=True)
class Page:
    """One page or action: its method, its path with `{parameters}`, who may have it, and what it does."""

    method: str
    path: str
    who: Who
    handler: Handler


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one module, in the order of their declaration."""

    declared: list[Page] = field(default_factory=list)

    def get(self, path: str, who: Who) -> Callable[[Handler], Handler]:
        """Declare what is shown at `path`."""
        return self._declare("GET", path, who)

    def post(self, path: str, who: Who) -> Callable[[Handler], Handler]:
        """Declare what a form that is sent to `path` does."""
        return self._declare("POST", path, who)

    def _declare(self, method: str, path: str, who: Who) -> Callable[[Handler], Handler]:
        def declare(handler: Handler) -> Handler:
            self.declared.append(Page(method, path, who, handler))
            return handler

        return declare
