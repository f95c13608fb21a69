"""Settings for a command: the environment's, over which the options that were given win."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from connector_master.cli.running import fail

if TYPE_CHECKING:
    from pydantic import ValidationError

    from connector_master.settings import Settings


def read_settings(**options: Any) -> "Settings":
    """Return the settings; options that are None were not given. Ends the program naming what is wrong."""
    from pydantic import ValidationError

    from connector_master.settings import Settings

    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        _refuse(error)


def read_addresses(defaults: Mapping[str, str]) -> dict[str, str]:
    """Return the providers' addresses by the name of their setting. Ends the program naming what is wrong."""
    from pydantic import ValidationError

    from connector_master.settings import provider_addresses

    try:
        found = provider_addresses(defaults)
    except ValidationError as error:
        _refuse(error)
    return {name: getattr(found, name.lower()) for name in defaults}


def _refuse(error: "ValidationError") -> NoReturn:
    from connector_master.settings import PREFIX

    faults = [
        f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors()
    ]
    fail("These settings are wrong:\n  " + "\n  ".join(faults), error)


def data_dir_of(settings: "Settings") -> Path:
    """Return the data folder as an absolute path, made when it is missing."""
    folder = settings.data_dir.expanduser().resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        fail(f"The data folder {folder} can't be made: {error.strerror}. Set --data-dir to one that can.", error)
    return folder
