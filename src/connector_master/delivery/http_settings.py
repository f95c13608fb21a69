"""What can be set of an HTTP destination: where and how it is called, what is sent, and what counts as success."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator

from connector_master.connectors.forms import Form, Secret
from connector_master.delivery.destination import VARIABLES, DestinationSettings
from connector_master.pipeline.expressions import InvalidExpression, compile_expression
from connector_master.pipeline.templates import InvalidTemplate, TextTemplate, compile_template, compile_text

ANSWER_VARIABLES = ("status", "body")
"""What an expression about an answer may name: its status, and its body, read as JSON where it is JSON."""

Authentication = Literal["none", "bearer", "basic", "header", "oauth2"]

_HEADER_NAME = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$"
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "trailer", "expect"})
_SIGNED = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature", "idempotency-key"})
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie"})
_MOST_HEADERS = 50


def split_url(url: str) -> tuple[str, str]:
    """Return an address in two: scheme, host and port, and the path with its query, which begins with a slash."""
    scheme, _, rest = url.partition("://")
    end = min((place for mark in "/?" if (place := rest.find(mark)) >= 0), default=len(rest))
    path = rest[end:]
    return f"{scheme}://{rest[:end]}", path if path.startswith("/") else f"/{path}"


def _address(url: str) -> str:
    base, path = split_url(url)
    try:
        parts = urlsplit(base)
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_right = False
    if not is_right or "{{" in base or any(character.isspace() for character in base):
        raise ValueError("Give an address that begins with https:// or http:// and names a host")
    if parts.username is not None:
        raise ValueError("Name and password don't belong into the address: choose basic authentication")
    if "#" in url:
        raise ValueError("A part after # is never sent: leave it out")
    compile_text(path, VARIABLES)
    return url


def _plain_address(url: str) -> str:
    if "{{" in url:
        raise ValueError("Expressions are not possible here")
    return _address(url)


def _headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    if len(headers) > _MOST_HEADERS:
        raise ValueError(f"There are more than {_MOST_HEADERS} headers")
    for name, text in headers.items():
        folded = name.lower()
        if folded in _OURS or folded in _SIGNED:
            raise ValueError(f"{name} is set by the hub itself")
        if folded in _SECRET:
            raise ValueError(f"{name} is a secret: choose an authentication, whose credentials are kept sealed")
        try:
            compile_text(text, VARIABLES)
        except InvalidTemplate as error:
            raise InvalidTemplate(f"{name}: {error}") from error
    return headers


def _template(value: JsonValue) -> JsonValue:
    compile_template(value, VARIABLES)
    return value


def _about_answer(text: str) -> str:
    try:
        compile_expression(text, ANSWER_VARIABLES)
    except InvalidExpression as error:
        raise ValueError(str(error)) from error
    return text


HeaderName = Annotated[str, StringConstraints(pattern=_HEADER_NAME)]
HeaderText = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^[^\r\n\x00]*$")]
Url = Annotated[str, Field(max_length=2_000), AfterValidator(_address)]
AboutAnswer = Annotated[str, Field(max_length=2_000), AfterValidator(_about_answer)]


class Settings(DestinationSettings):
    """An HTTP destination."""

    url: Url = Field(
        title="Address",
        description="Where leads are sent. After the host it may hold expressions: https://crm.example/leads/{{ lead.id }}.",
    )
    method: Literal["POST", "PUT", "PATCH", "DELETE", "GET"] = Field(
        default="POST", title="Method", description="The HTTP method. GET sends no body."
    )
    headers: Annotated[dict[HeaderName, HeaderText], AfterValidator(_headers)] = Field(
        default_factory=dict,
        title="Headers",
        description="Sent with every call, besides those of authentication and signature. Values may hold expressions.",
    )
    authentication: Authentication = Field(
        default="none",
        title="Authentication",
        description="How the receiver knows us: none, bearer (a token), basic (name and password), header (a token in a header "
        "of its own), oauth2 (client credentials).",
    )
    token_header: HeaderName = Field(
        default="X-API-Key", title="Header of the token", description="For authentication by a header: its name."
    )
    token_format: Annotated[str, StringConstraints(max_length=100, pattern=r"^[\x20-\x7e]*\{token\}[\x20-\x7e]*$")] = (
        Field(
            default="{token}",
            title="Form of the token",
            description="For authentication by a header: what stands around the token, such as token {token}.",
        )
    )
    token_url: Annotated[str, Field(max_length=2_000), AfterValidator(_plain_address)] | None = Field(
        default=None, title="Token address", description="For oauth2: where access tokens are asked for."
    )
    scope: str | None = Field(
        default=None,
        max_length=1_000,
        title="Scope",
        description="For oauth2: what is asked for, if the receiver wants it.",
    )
    client_authentication: Literal["basic", "body"] = Field(
        default="basic",
        title="Client's id and secret",
        description="For oauth2: sent to the token address by basic authentication or in the body.",
    )
    template: Annotated[JsonValue, AfterValidator(_template)] = Field(
        default=None,
        title="Body",
        description='JSON whose texts may hold expressions: {"Name": "{{ lead.name }}"}. Empty: type, timestamp and the lead.',
    )
    omit_empty: bool = Field(
        default=True,
        title="Leave out what is empty",
        description="Members of the template that come out null are not sent.",
    )
    format: Literal["json", "form"] = Field(
        default="json", title="Format", description="The body as JSON, or its members as the fields of a form."
    )
    success_when: AboutAnswer | None = Field(
        default=None,
        title="Success when",
        description="An expression over status and body, such as body.success == true. Empty: any status from 200 to 299.",
    )
    id_from: AboutAnswer | None = Field(
        default=None,
        title="Id of the lead there",
        description="An expression over status and body that gives the receiver's id for the lead, such as body.data.id.",
    )
    timeout_seconds: int = Field(
        default=30, ge=1, le=60, title="Seconds to answer", description="A call that takes longer has failed."
    )

    @model_validator(mode="after")
    def _has_token_address(self) -> Self:
        if self.authentication == "oauth2" and self.token_url is None:
            raise ValueError("tokenUrl is needed for oauth2")
        return self


class Credentials(Form):
    """What the chosen authentication needs."""

    token: Secret | None = Field(default=None, title="Token", description="For authentication by bearer or header.")
    username: str | None = Field(
        default=None, max_length=500, title="User name", description="For basic authentication."
    )
    password: Secret | None = Field(default=None, title="Password", description="For basic authentication.")
    client_id: str | None = Field(default=None, max_length=500, title="Client id", description="For oauth2.")
    client_secret: Secret | None = Field(default=None, title="Client secret", description="For oauth2.")


_NEEDED: Mapping[Authentication, tuple[str, ...]] = {
    "none": (),
    "bearer": ("token",),
    "basic": ("username",),
    "header": ("token",),
    "oauth2": ("clientId", "clientSecret"),
}


def needs(settings: Settings) -> tuple[str, ...]:
    """Return the names of the credentials without which these settings can't work."""
    return _NEEDED[settings.authentication]


def path_template(settings: Settings) -> tuple[str, TextTemplate]:
    """Return the address's base, and the template of its path."""
    base, path = split_url(settings.url)
    return base, compile_text(path, VARIABLES)
