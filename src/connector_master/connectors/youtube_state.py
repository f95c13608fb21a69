"""What a pull of YouTube remembers for the next: how many replies long threads had, and what it is not shown."""

from collections.abc import Iterable, Mapping

from connector_master.model.json import Json, as_list, as_object

HELD = "held"
SUBSCRIBERS = "subscribers"

_MOST_THREADS = 500


class State:
    """The state of one run. `is_changed` says whether there is something to keep.

    A thread is long when its page does not hold all replies; to know whether there are new ones without asking for them,
    their number and the time of the newest are compared with those of the last time.
    """

    def __init__(self, before: Json) -> None:
        given = as_object(before)
        self._threads: dict[str, tuple[int, str]] = dict(_marks(as_object(given.get("threads"))))
        self._withheld = {one for one in as_list(given.get("withheld")) if isinstance(one, str)}
        self.is_changed = False

    def is_withheld(self, what: str) -> bool:
        """Return whether YouTube refused to show this the last time."""
        return what in self._withheld

    def note_withheld(self, what: str, *, is_withheld: bool) -> None:
        """Note whether YouTube shows this."""
        if is_withheld != (what in self._withheld):
            self._withheld ^= {what}
            self.is_changed = True

    def knows(self, thread_id: str) -> bool:
        """Return whether a thread's replies were read before."""
        return thread_id in self._threads

    def has_replies_read(self, thread_id: str, count: int, newest: str) -> bool:
        """Return whether a thread's replies were all read when it had as many, and the same one as the newest."""
        return self._threads.get(thread_id) == (count, newest)

    def note_replies(self, thread_id: str, count: int, newest: str) -> None:
        """Note that a thread's replies are all read."""
        self._threads[thread_id] = (count, newest)
        self.is_changed = True

    def as_json(self) -> Json:
        """Return what is to be kept: the threads that were replied to last, as many as are worth remembering."""
        latest = sorted(self._threads.items(), key=lambda one: one[1][1])[-_MOST_THREADS:]
        return {
            "threads": {id_: [count, newest] for id_, (count, newest) in latest},
            "withheld": [*sorted(self._withheld)],
        }


def _marks(threads: Mapping[str, Json]) -> Iterable[tuple[str, tuple[int, str]]]:
    for id_, mark in threads.items():
        match mark:
            case [int(count), str(newest)]:
                yield id_, (count, newest)
