"""What the foreign server was asked, as it saw it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request, and the status that it was answered with. `url` is the whole path with its query."""

    method: str
    url: str
    path: str
    status: int
    form: dict[str, str] = field(default_factory=dict)


CALLS: list[Call] = []


def recorded(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Django middleware: write each call down once it is answered."""

    def answer(request: Any) -> Any:
        response = get_response(request)
        form = request.POST.dict() if request.method == "POST" else {}
        CALLS.append(Call(request.method, request.get_full_path(), request.path, response.status_code, form))
        return response

    return answer
