"""The caller: who asks, in which workspace, from where."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from connector_master.access.roles import PERMISSIONS, Permission, Role, covers

CallerKind = Literal["user", "api_key", "command_line", "system", "stranger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever acts, as the activity log names them.

    `id` is the user's or the API key's; a user who came with a browser has a `session_id`. A stranger (nobody we know) has
    no role and may nothing.
    """

    workspace_id: UUID
    kind: CallerKind
    name: str
    id: UUID | None = None
    role: Role | None = None
    ip: str | None = None
    session_id: UUID | None = None

    def may(self, permission: Permission) -> bool:
        """Return whether the one table lets this caller's role do `permission`."""
        return self.role in PERMISSIONS.get(permission, frozenset())

    def may_give(self, role: Role) -> bool:
        """Return whether this caller may make somebody `role`: nobody gives more than they have."""
        return self.role is not None and covers(self.role, role)


def command_line(workspace: UUID) -> Caller:
    """Return the caller for commands: whoever can reach the database administers it already."""
    return Caller(workspace_id=workspace, kind="command_line", name="command line", role=Role.ADMIN)


def system(workspace: UUID) -> Caller:
    """Return the caller for what happens by itself."""
    return Caller(workspace_id=workspace, kind="system", name="system", role=Role.ADMIN)


def stranger(workspace: UUID, ip: str) -> Caller:
    """Return the caller for somebody whom nothing identifies."""
    return Caller(workspace_id=workspace, kind="stranger", name="stranger", ip=ip)
