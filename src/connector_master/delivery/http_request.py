"""What an HTTP destination is sent: address, headers and body, made of its settings and one parcel."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import orjson

from connector_master.delivery.destination import VARIABLES, Parcel
from connector_master.delivery.envelope import envelope
from connector_master.delivery.http_settings import Settings, split_url
from connector_master.model.json import Json
from connector_master.model.problem import LeadRefused
from connector_master.outbound.client import SecretPath
from connector_master.pipeline.templates import compile_template, compile_text, written

MOST_BODY_BYTES = 1024 * 1024
_CONTENT_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}
_SHOWN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request, but for what proves who sends it. `path` is made of the lead, so it is never logged."""

    method: str
    base: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None

    def summary(self) -> dict[str, Json]:
        """Return what may be kept of it: nothing of the lead, and no query, where some receivers want a key."""
        return {"method": self.method, "address": self.base, "bytes": len(self.body or b"")}


def outgoing(settings: Settings, parcel: Parcel) -> Outgoing:
    """Return what is to be sent. Raises TransformFailed or LeadRefused where this lead can't be put into that form."""
    variables = parcel.variables()
    base, path = split_url(settings.url)
    path = compile_text(path, VARIABLES).write(variables, _in_path)
    headers = {
        name: quote(" ".join(compile_text(text, VARIABLES).write(variables).split()), safe=_SHOWN + "%")
        for name, text in settings.headers.items()
    }
    headers["Idempotency-Key"] = str(parcel.id)
    body = None
    if settings.method != "GET":
        body = _body(settings, parcel, variables)
        if not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = _CONTENT_TYPES[settings.format]
    return Outgoing(settings.method, base, SecretPath(path, "/…"), headers, body)


def _body(settings: Settings, parcel: Parcel, variables: Mapping[str, Json]) -> bytes:
    value = envelope(parcel)
    if settings.template is not None:
        template = compile_template(settings.template, VARIABLES)
        value = template.fill(variables, omits_empty=settings.omit_empty)
    body = _form(value) if settings.format == "form" else orjson.dumps(value)
    if len(body) > MOST_BODY_BYTES:
        raise LeadRefused(f"The body would be larger than {MOST_BODY_BYTES // 1024:,} KiB.")
    return body


def _form(value: Json) -> bytes:
    if not isinstance(value, dict):
        raise LeadRefused("A form's template has to be an object.")
    fields = [
        (name, written(one)) for name, more in value.items() for one in (more if isinstance(more, list) else [more])
    ]
    return urlencode(fields).encode()


def _in_path(text: str) -> str:
    # A lone dot or two would lead to another path.
    return quote(text, safe="") if text.strip(".") else "-"
