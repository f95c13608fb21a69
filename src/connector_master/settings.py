"""Settings: everything that can be set, read once from the environment or an .env file, then handed on as values."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "CONNECTOR_MASTER_"


class Settings(BaseSettings):
    """Each field is the environment variable CONNECTOR_MASTER_<NAME>; its description is what `config` prints."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

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

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("database_url", "public_url", "secret_keys", "admin_password", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @property
    def address(self) -> str:
        """The address that people and providers use."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")
