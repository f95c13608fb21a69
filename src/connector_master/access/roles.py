"""Roles, permissions, and the one table that joins them (API.md "Roles")."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What a user or an API key is, in one workspace."""

    ADMIN = "admin"
    MANAGER = "manager"
    EXECUTIVE = "executive"


class Permission(StrEnum):
    """One thing that a caller may do or not. A route names exactly one."""

    CONNECTORS_SEE = "connectors.see"
    """List connectors, see name, type, status and health; their types, checklist and figures without addresses."""
    CONNECTORS_CREATE = "connectors.create"
    CONNECTORS_EDIT = "connectors.edit"
    """Change a connector, its mapping, credentials, accounts and secret."""
    CONNECTORS_OPERATE = "connectors.operate"
    """Test, sync, pause, resume, replay, connect by OAuth and disconnect."""
    CONNECTORS_DELETE = "connectors.delete"
    CONNECTORS_SEE_ADDRESS = "connectors.see_address"
    """See the webhook URL; without it the field is left out."""
    LOGS_SEE = "logs.see"
    EVENTS_SEE = "events.see"
    """List events and see one with its raw payload."""
    EVENTS_RETRY = "events.retry"
    LEADS_SEE = "leads.see"
    LEADS_EXPORT = "leads.export"
    LEADS_ERASE = "leads.erase"
    DESTINATIONS_SEE = "destinations.see"
    DESTINATIONS_EDIT = "destinations.edit"
    RULES_SEE = "rules.see"
    RULES_EDIT = "rules.edit"
    DELIVERIES_SEE = "deliveries.see"
    DELIVERIES_RETRY = "deliveries.retry"
    ALERTS_SEE = "alerts.see"
    USERS_MANAGE = "users.manage"
    API_KEYS_MANAGE = "api_keys.manage"
    SETTINGS_MANAGE = "settings.manage"
    AUDIT_SEE = "audit.see"
    METRICS_SEE = "metrics.see"
    """Read the installation's own metrics (`GET /metrics`), not a connector's."""


_EVERYBODY = frozenset(Role)
_MANAGERS = frozenset({Role.ADMIN, Role.MANAGER})
_ADMINS = frozenset({Role.ADMIN})

PERMISSIONS: Mapping[Permission, frozenset[Role]] = MappingProxyType(
    {
        Permission.CONNECTORS_SEE: _EVERYBODY,
        Permission.CONNECTORS_CREATE: _MANAGERS,
        Permission.CONNECTORS_EDIT: _MANAGERS,
        Permission.CONNECTORS_OPERATE: _MANAGERS,
        Permission.CONNECTORS_DELETE: _ADMINS,
        Permission.CONNECTORS_SEE_ADDRESS: _MANAGERS,
        Permission.LOGS_SEE: _MANAGERS,
        Permission.EVENTS_SEE: _MANAGERS,
        Permission.EVENTS_RETRY: _MANAGERS,
        Permission.LEADS_SEE: _EVERYBODY,
        Permission.LEADS_EXPORT: _MANAGERS,
        Permission.LEADS_ERASE: _ADMINS,
        Permission.DESTINATIONS_SEE: _MANAGERS,
        Permission.DESTINATIONS_EDIT: _MANAGERS,
        Permission.RULES_SEE: _MANAGERS,
        Permission.RULES_EDIT: _MANAGERS,
        Permission.DELIVERIES_SEE: _MANAGERS,
        Permission.DELIVERIES_RETRY: _MANAGERS,
        Permission.ALERTS_SEE: _MANAGERS,
        Permission.USERS_MANAGE: _ADMINS,
        Permission.API_KEYS_MANAGE: _ADMINS,
        Permission.SETTINGS_MANAGE: _ADMINS,
        Permission.AUDIT_SEE: _ADMINS,
        Permission.METRICS_SEE: _ADMINS,
    }
)
"""Who may what. What is missing here, nobody may."""


def permissions_of(role: Role) -> frozenset[Permission]:
    """Return everything that `role` may do."""
    return frozenset(permission for permission, roles in PERMISSIONS.items() if role in roles)


def covers(role: Role, other: Role) -> bool:
    """Return whether `role` may do everything that `other` may: the bound for what one caller can give to another.

    >>> covers(Role.MANAGER, Role.EXECUTIVE), covers(Role.MANAGER, Role.ADMIN)
    (True, False)
    """
    return permissions_of(other) <= permissions_of(role)
