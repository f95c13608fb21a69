"""Settings: everything that can be set, read once from the environment or an .env file, then handed on as values."""

from collections.abc import Collection, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, create_model, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "CONNECTOR_MASTER_"
_POSTGRESQL = ("postgresql://", "postgres://", "postgresql+psycopg://")
_SOURCES = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)


class Settings(BaseSettings):
    """Each field is the environment variable CONNECTOR_MASTER_<NAME>; its description is what `config` prints."""

    model_config = _SOURCES

    data_dir: Path = Field(default=Path("data"), description="Folder of the embedded PostgreSQL and the key file.")
    database_url: SecretStr | None = Field(
        default=None, description="A PostgreSQL 15 or newer (postgresql://…); empty: an embedded one inside DATA_DIR."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 for every one.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 for any free one.")
    public_url: str | None = Field(
        default=None, description="Address that others reach this installation at; empty: http://HOST:PORT."
    )
    secret_keys: SecretStr | None = Field(
        default=None,
        description="Sealing keys, comma-separated, each 32 bytes in base64 or hex; the first one seals. "
        "Empty: generated into DATA_DIR/secret.keys.",
    )
    admin_email: str = Field(
        default="admin@localhost", description="The administrator's e-mail, at the first start only."
    )
    admin_password: SecretStr | None = Field(
        default=None, description="The administrator's password, at the first start only; empty: a one-time password."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Addresses or networks, comma-separated, whose X-Forwarded-For is believed."
    )
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, le=1024**3, description="Largest request body, in bytes.")
    max_connections: int = Field(
        default=1000, ge=10, le=100_000, description="Most connections at once; more are turned away."
    )
    raw_retention_days: int = Field(
        default=90, ge=1, le=36_500, description="Days that events with their raw payloads are kept, in whole months."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="How log lines look: console or json."
    )

    outbound_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Networks, comma-separated, that addresses given by users may lie in although private."
    )

    @field_validator("outbound_allow", mode="after")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(one, strict=False)) for one in value)

    @field_validator("trusted_proxies", "outbound_allow", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("database_url", "public_url", "secret_keys", "admin_password", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("database_url", mode="after")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(_POSTGRESQL):
            raise ValueError("must begin with postgresql://")
        return value

    @property
    def address(self) -> str:
        """The address that people and providers use."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


class _Addresses(BaseSettings):
    model_config = _SOURCES


def provider_addresses(defaults: Mapping[str, str]) -> BaseSettings:
    """Return a setting for each of `defaults`, whose keys name settings and whose values are the providers' own addresses.

    A connector says the name of its setting, so that a new one needs no line here. Raises pydantic's ValidationError.
    """
    fields: dict[str, Any] = {
        name.lower(): (
            Annotated[str, AfterValidator(_http_address)],
            Field(default=default, description="Where this provider is called; a sandbox or a proxy may stand in."),
        )
        for name, default in defaults.items()
    }
    model: type[BaseSettings] = create_model("ProviderAddresses", __base__=_Addresses, **fields)
    return model()


def provider_apps(names: Collection[str]) -> dict[str, str]:
    """Return what is set of the settings with these names, which hold the installation's own apps at providers."""
    fields: dict[str, Any] = {name.lower(): (SecretStr | None, None) for name in names}
    model: type[BaseSettings] = create_model("ProviderApps", __base__=_Addresses, **fields)
    found = model()
    values = {name: getattr(found, name.lower()) for name in names}
    return {name: value.get_secret_value() for name, value in values.items() if value and value.get_secret_value()}


def _http_address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return value.rstrip("/")
