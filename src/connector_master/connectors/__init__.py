"""The sources of leads, one module each. The registry finds them: a module here with a `connector` is a source."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from pydantic.alias_generators import to_snake

from connector_master.connectors.connector import Connector
from connector_master.model.words import Words


@cache
def registry() -> Mapping[str, Connector]:
    """Return every connector by its type, sorted by type."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    found = [module.connector for module in modules if isinstance(getattr(module, "connector", None), Connector)]
    return MappingProxyType({connector.type: connector for connector in sorted(found, key=lambda one: one.type)})


def provider_addresses() -> dict[str, str]:
    """Return the address of every provider that is called, by the name of the setting that may replace it."""
    return {address.setting: address.base for one in registry().values() for address in one.addresses}


def app_settings() -> dict[str, str]:
    """Return the settings that hold the installation's own apps at providers: what each means, by its name."""
    used_by: dict[str, list[str]] = {}
    for one in registry().values():
        if one.oauth is not None:
            for credential in one.oauth.app:
                used_by.setdefault(app_setting(one, credential), []).append(one.title)
    return {
        name: Words("The installation's own app, for %(sources)s connectors without one of their own.", sources=titles)
        for name, titles in used_by.items()
    }


def app_setting(connector: Connector, credential: str) -> str:
    """Return the name of the setting that holds the installation's own `credential` (`appId` → META_APP_ID)."""
    assert connector.oauth is not None
    return f"{connector.oauth.app_setting}_{to_snake(credential).upper()}"
