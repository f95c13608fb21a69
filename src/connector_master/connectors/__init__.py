"""The sources of leads, one module each. The registry finds them: a module here with a `connector` is a source."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from connector_master.connectors.connector import Connector


@cache
def registry() -> Mapping[str, Connector]:
    """Return every connector by its type, sorted by type."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    found = [module.connector for module in modules if isinstance(getattr(module, "connector", None), Connector)]
    return MappingProxyType({connector.type: connector for connector in sorted(found, key=lambda one: one.type)})


def provider_addresses() -> dict[str, str]:
    """Return the address of every provider that is called, by the name of the setting that may replace it."""
    return {one.base_setting: one.base for one in registry().values() if one.base_setting and one.base}
