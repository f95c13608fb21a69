"""The shape of decoded JSON, and of form bodies once they are nested like JSON."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def as_object(value: Json) -> dict[str, Json]:
    """Return `value` if it is an object, an empty one otherwise: for reading what a provider may have left out."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """Return `value` if it is a list, an empty one otherwise."""
    return value if isinstance(value, list) else []
