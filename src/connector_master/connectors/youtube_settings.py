"""What can be set for a YouTube connector, and the app to which its owner agrees."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from connector_master.connectors.forms import Form, PullSettings, Secret

Keyword = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Settings(PullSettings):
    """What is read besides comments, and which of them count."""

    subscribers: bool = Field(
        default=False,
        title="Subscribers",
        description="Whether people who subscribe, and made that public, are noted as interactions. They never become leads.",
    )
    keywords: tuple[Keyword, ...] = Field(
        default=(),
        max_length=100,
        title="Keywords",
        description="Words that show an intent, in any language, such as price, buy, कीमत. Comments with one are marked.",
    )
    only_with_keywords: bool = Field(
        default=False,
        title="Leads only with a keyword",
        description="Whether a comment with a phone number becomes a lead only if one of the keywords is in it as well. "
        "Without keywords this changes nothing.",
    )
    public_comments: Literal[True] = Field(
        default=True,
        title="A public comment is no consent to advertising",
        description="YouTube's terms forbid gathering data that identifies people without their permission. Only comments on "
        "your own channel are read; answer what was asked there, and take a number for nothing else.",
        json_schema_extra={"confirm": True},
    )


class Credentials(Form):
    """The app at Google, and a token that was made elsewhere, if one is to be used."""

    client_id: str | None = Field(
        default=None,
        max_length=300,
        title="Client ID",
        description="Of the OAuth client (type: web application) in your Google Cloud project, under Clients. Google asks the "
        "channel's owner for a right to write as well, for comments can't be read without; it is never used.",
    )
    client_secret: Secret | None = Field(
        default=None,
        title="Client secret",
        description="Beside the client ID.",
        json_schema_extra={"secret": True},
    )
    refresh_token: Secret | None = Field(
        default=None,
        title="Refresh token",
        description="One that was made elsewhere for the scope youtube.force-ssl, instead of connecting here.",
        json_schema_extra={"secret": True},
    )
