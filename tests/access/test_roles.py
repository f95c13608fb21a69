"""Roles: the one table, against API.md row by row."""

from uuid import uuid4

import pytest

from connector_master.access.caller import Caller, command_line, stranger
from connector_master.access.roles import PERMISSIONS, Permission, Role, covers, permissions_of

EVERYBODY = {"connectors.see", "leads.see"}
ADMINS_ONLY = {
    "connectors.delete",
    "leads.erase",
    "users.manage",
    "api_keys.manage",
    "settings.manage",
    "audit.see",
    "metrics.see",
}


def test_every_permission_is_in_the_table() -> None:
    assert set(PERMISSIONS) == set(Permission)


def test_an_executive_sees_connectors_and_leads_and_nothing_else() -> None:
    assert permissions_of(Role.EXECUTIVE) == EVERYBODY


def test_a_manager_may_everything_but_what_only_administrators_may() -> None:
    assert permissions_of(Role.MANAGER) == set(Permission) - ADMINS_ONLY


def test_an_administrator_may_everything() -> None:
    assert permissions_of(Role.ADMIN) == set(Permission)


@pytest.mark.parametrize("permission", Permission)
def test_a_stranger_may_nothing(permission: Permission) -> None:
    assert not stranger(uuid4(), "192.0.2.1").may(permission)
    assert command_line(uuid4()).may(permission)


def test_nobody_gives_more_than_they_have() -> None:
    given = {(role, other): covers(role, other) for role in Role for other in Role}

    assert {pair for pair, allowed in given.items() if allowed} == {
        (Role.ADMIN, Role.ADMIN),
        (Role.ADMIN, Role.MANAGER),
        (Role.ADMIN, Role.EXECUTIVE),
        (Role.MANAGER, Role.MANAGER),
        (Role.MANAGER, Role.EXECUTIVE),
        (Role.EXECUTIVE, Role.EXECUTIVE),
    }
    assert not stranger(uuid4(), "192.0.2.1").may_give(Role.EXECUTIVE)
    assert Caller(workspace_id=uuid4(), kind="api_key", name="x", role=Role.MANAGER).may_give(Role.EXECUTIVE)
