"""Templates: how a page is made of one, and the words that all of them know."""

import json
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from connector_master import __version__
from connector_master.access.sessions import form_proof
from connector_master.storage.paging import MOST_LOOKED_AT
from connector_master.web import assets, language
from connector_master.web.language import LANGUAGES, _

_session: ContextVar[str | None] = ContextVar("session", default=None)


def render(template: str, values: Mapping[str, Any], session_token: str | None) -> str:
    """Return what `template` makes of `values`, in the reader's language; its forms are of the session of that token."""
    _session.set(session_token)
    return _environment().get_template(template).render(values, reader=language.reader.get())


def ago(at: datetime | None, missing: str = "–") -> str:
    """Return how long ago a moment is, with the exact one on hover."""
    if at is None:
        return missing
    return Markup('<time datetime="{}" title="{}" data-ago>{}</time>').format(
        at.astimezone(UTC).isoformat(timespec="seconds"), language.moment(at), language.ago(at)
    )


def moment(at: datetime | None, missing: str = "–") -> str:
    """Return date and time, marked up for machines too."""
    if at is None:
        return missing
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.astimezone(UTC).isoformat(timespec="seconds"), language.ago(at), language.moment(at)
    )


def proof() -> str:
    """Return the proof that the page's forms are ours, empty for somebody who is not signed in."""
    token = _session.get()
    return form_proof(token) if token else ""


def csrf() -> Markup:
    """Return the field that every form which is posted carries."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(proof())


def pretty_json(value: Any) -> str:
    """Return a JSON value on several lines, for reading."""
    return json.dumps(value, ensure_ascii=False, indent=2)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("connector_master.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False}
    environment.globals |= {
        "_": _,
        "gettext": _,
        "ngettext": language.ngettext,
        "pgettext": language.pgettext,
        "proof": proof,
        "csrf": csrf,
        "asset": assets.address,
        "icon": assets.icon,
        "languages": LANGUAGES,
        "product_version": __version__,
        "most_looked_at": MOST_LOOKED_AT,
    }
    environment.filters |= {
        "say": language.say,
        "ago": ago,
        "moment": moment,
        "day": language.day,
        "clock": language.clock,
        "plain_day": language.plain_day,
        "number": language.number,
        "percent": language.percent,
        "duration": language.duration,
        "pretty_json": pretty_json,
    }
    return environment
