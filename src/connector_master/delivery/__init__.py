"""Where leads are sent: types of destinations, one module each, and how what is due gets there.

The registry finds the types: a module here with a `destination` is one.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from connector_master.delivery.destination import Destination


@cache
def registry() -> Mapping[str, Destination]:
    """Return every type of destination by its name, sorted by name."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    found = [module.destination for module in modules if isinstance(getattr(module, "destination", None), Destination)]
    return MappingProxyType({one.type: one for one in sorted(found, key=lambda one: one.type)})
