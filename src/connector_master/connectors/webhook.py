"""Webhook: any sender that can POST JSON or a form (docs/connectors/webhook.md).

Form builders, automation tools, websites and scripts send what they like, so this source knows no fields of its own:
the mapping finds them, or guesses. Most senders can't sign, so signatures are optional unless required by its settings.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from re import compile as pattern
from typing import Literal, Self

from pydantic import Field, model_validator

from connector_master.connectors.answers import answer
from connector_master.connectors.connector import Connector, Secrets, Verified
from connector_master.connectors.forms import Form, LeadSettings, Secret
from connector_master.connectors.signatures import Policy, SchemeName, verify_push
from connector_master.model.event import Push, Record
from connector_master.model.json import Json
from connector_master.model.json_text import enter_text
from connector_master.model.problem import InvalidBody


class Settings(LeadSettings):
    """How this connector's sender proves itself and where its records lie."""

    signature: Literal["optional", "required"] = Field(
        default="optional",
        title="Signature",
        description="Whether unsigned requests are refused. A wrong signature is always refused.",
    )
    signature_scheme: SchemeName = Field(
        default="auto",
        title="Signature scheme",
        description="How the sender signs. Auto tells it by the headers; choose one to accept no other.",
    )
    token_header: str = Field(
        default="X-Webhook-Token",
        max_length=100,
        pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
        title="Token header",
        description="For senders that can't sign but can send a header: its name. Its value is the webhook secret, "
        "after Bearer if the header is Authorization.",
    )
    token_parameter: str = Field(
        default="token",
        min_length=1,
        max_length=100,
        title="Token parameter",
        description="For senders that can only be given an address: the parameter in it that holds the webhook secret.",
    )
    records_path: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        title="Path to the records",
        description="Where in a body the list of leads lies, such as data.leads. Empty: the body is the lead.",
    )

    @cached_property
    def policy(self) -> Policy:
        """The settings as signatures.py takes them."""
        return Policy(
            scheme=self.signature_scheme,
            is_required=self.signature == "required",
            token_header=self.token_header.lower(),
            token_parameter=self.token_parameter,
        )

    @model_validator(mode="after")
    def _can_be_satisfied(self) -> Self:
        if self.signature == "required" and self.signature_scheme == "none":
            raise ValueError("a signature can't be required while signatureScheme is none: nothing would be accepted")
        return self


class Credentials(Form):
    """What the sender gives us to verify it with."""

    signing_secret: Secret | None = Field(
        default=None,
        title="Sender's signing secret",
        description="Only if your sender makes its own secret and shows it to you, as Calendly, Shopify and Stripe do. "
        "Otherwise give your sender the webhook secret of this connector.",
        json_schema_extra={"secret": True},
    )


MAPPING = {"phone": "phoneNumber", "name": "name", "email": "email", "source": "source"}

_POSITION = pattern(r"[0-9]{1,6}")
_CALENDLY_EVENTS = ("invitee.", "invitee_no_show.", "routing_form_submission.")


def verify(push: Push, secrets: Secrets, settings: Settings) -> Verified:
    """Return how the push was verified; raises InvalidSignature."""
    return verify_push(push, secrets, settings.policy)


def presents_secret(settings: Settings) -> bool:
    """Return whether the sender sends the secret itself instead of signing with it."""
    return settings.signature_scheme in ("token-header", "token-query")


def records(body: Json, push: Push, settings: Settings) -> Sequence[Record]:
    """Return an object as one record, a list at the top or at the records path as one for each element.

    An element that is not an object stays a record, so that it fails where it is seen. Raises InvalidBody.
    """
    if isinstance(body, dict) and settings.records_path is not None:
        body = _at(body, settings.records_path)
    if isinstance(body, list):
        return [_record(element) for element in body if element != []]
    if isinstance(body, dict):
        return [_record(body)]
    raise InvalidBody("The body is neither an object nor a list of objects.")


connector = Connector(
    type="webhook",
    title="Webhook",
    summary="Any form, website or tool that can send a request: JSON or form data, signed or not.",
    prepare=("A form, website or tool that can send a request.",),
    auth="signature",
    settings=Settings,
    credentials=Credentials,
    mapping=MAPPING,
    records=records,
    acknowledge=answer,
    verify=verify,
    presents_secret=presents_secret,
    signs_with="signingSecret",
    door="webhook",
    guesses=True,
)


def _record(value: Json) -> Record:
    return Record(value, ignored=_reason_to_ignore(value) if isinstance(value, dict) else None)


def _reason_to_ignore(value: Mapping[str, Json]) -> str | None:
    """Say why this is no enquiry, only where its sender leaves no doubt."""
    event = value.get("event")
    if isinstance(event, str) and event.startswith(_CALENDLY_EVENTS) and isinstance(value.get("payload"), dict):
        return None if event == "invitee.created" else "not_an_enquiry"
    if "zen" in value and "hook_id" in value:  # GitHub's ping
        return "test"
    if "rawRequest" in value and "formID" in value and str(value.get("preview")).lower() == "true":  # JotForm's preview
        return "test"
    return None


def _at(body: dict[str, Json], path: str) -> Json:
    """Return the list or object at a literal key, or at a dotted path of keys and positions, entering JSON in text."""
    found: Json = body
    for step in [path] if path in body else path.split("."):
        found = enter_text(found)
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and _POSITION.fullmatch(step) and int(step) < len(found):
            found = found[int(step)]
        else:
            found = None
    found = enter_text(found)
    if isinstance(found, dict | list):
        return found
    raise InvalidBody(
        "There is no list and no object at the connector's path to the records.",
        remedy="Correct recordsPath in the connector's settings, then retry the event.",
    )
