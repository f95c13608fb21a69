"""How each source's own sender would behave: one module for each type that pushes, found by its name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

Headers = dict[str, str]


@dataclass(frozen=True)
class Sender:
    """What a type's sender sends.

    `enquiry` gives, from a phone number (None: without any) and an id of the sender's own, a payload and the headers
    that go with it: the same id again is the same event. `sign` gives the headers that prove a body; `strict` are the
    settings under which an unsigned one is refused. Both are left out where the provider can't sign. `prove` puts the proof
    into the body, for a provider that signs nothing. `secret` is the provider's own, with which it signs, where we make
    none; `credentials` tell it to the connector.
    """

    enquiry: Callable[[str | None, str], tuple[dict[str, Any], Headers]]
    sign: Callable[[bytes, str], Headers] | None = None
    strict: Mapping[str, Any] = field(default_factory=dict)
    secret: str | None = None
    credentials: Mapping[str, Any] = field(default_factory=dict)
    prove: Callable[[bytes, str], bytes] | None = None


def sender_of(type_: str) -> Sender:
    """Return the sender of a type; fails by name when there is none."""
    try:
        module = import_module(f"{__name__}.{type_}")
    except ModuleNotFoundError as error:
        raise AssertionError(f"tests/contracts/senders/{type_}.py is missing") from error
    found: Sender = module.sender
    return found
