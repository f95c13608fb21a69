"""Kinds of problems by their code: a stored code gets its title and remedy back."""

from collections.abc import Iterator

from connector_master.model.problem import Problem


def kind_of(code: str | None) -> type[Problem] | None:
    """Return the kind of problem that has this code, None for a code that this release does not know.

    >>> kind_of("missing_phone").title
    'Phone number missing'
    """
    if code is None:
        return None
    return next((kind for kind in _kinds(Problem) if kind.code == code), None)


def _kinds(base: type[Problem]) -> Iterator[type[Problem]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)
