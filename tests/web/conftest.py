"""People on the pages, without a browser."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.support.desk import Person, make_user
from tests.support.hub import Hub

SignIn = Callable[..., Awaitable[Person]]


@pytest.fixture
async def sign_in(hub: Hub) -> AsyncIterator[SignIn]:
    """Signs somebody of a role in: `await sign_in("executive")`."""
    people: list[Person] = []

    async def one(role: str = "admin") -> Person:
        person = Person(hub, await make_user(hub, role))
        people.append(person)
        return await person.sign_in()

    yield one
    for person in people:
        await person.client.aclose()
