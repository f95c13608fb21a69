"""How Graph lists and picks: pages behind cursors, the fields that were asked for, spans of time."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

_MOST_ON_A_PAGE = 500
_DEFAULT_FIELDS = ("id", "created_time", "ad_id", "form_id", "field_data")


def one_page(rows: list[dict[str, Any]], request: Request, *, is_endless: bool = False) -> dict[str, Any]:
    """Return one page of a list, behind the cursor `after`. The last page has cursors too, but no next one.

    Raises ValueError for a cursor that was never given.
    """
    query = request.query_params
    limit = min(max(1, int(query.get("limit", "25"))), _MOST_ON_A_PAGE)
    try:
        start = int(base64.urlsafe_b64decode(query.get("after", "") or "MA=="))
    except binascii.Error as error:
        raise ValueError("cursor") from error
    shown = rows[start : start + limit]
    if is_endless:
        shown, start = rows[:limit], 0
    if not shown:
        return {"data": []}
    after = _cursor(start + len(shown))
    paging: dict[str, Any] = {"cursors": {"before": _cursor(start), "after": after}}
    if start + len(shown) < len(rows) or is_endless:
        # Whoever follows this instead of asking again would send the token elsewhere.
        paging["next"] = f"https://graph.example/next?access_token=SECRET&after={after}"
    return {"data": shown, "paging": paging}


def picked(whole: Mapping[str, Any], request: Request, otherwise: tuple[str, ...] = _DEFAULT_FIELDS) -> dict[str, Any]:
    """Return the fields that were asked for; the id is always there."""
    text = request.query_params.get("fields", "")
    wanted = {part.split("{")[0] for part in text.replace("{id,username}", "").split(",")} if text else {*otherwise}
    return {name: value for name, value in whole.items() if name in wanted | {"id"}}


def span(filtering: str | None) -> tuple[float, float]:
    """Return the bounds, in seconds, that a filter sets; neither is in it."""
    low, high = float("-inf"), float("inf")
    for one in json.loads(filtering) if filtering else ():
        if one["field"] != "time_created":
            raise ValueError(one["field"])
        operator, value = one["operator"], int(one["value"])
        if operator == "GREATER_THAN":
            low = max(low, value)
        elif operator == "GREATER_THAN_OR_EQUAL":
            low = max(low, value - 1)
        elif operator == "LESS_THAN":
            high = min(high, value)
        else:
            raise ValueError(operator)
    return low, high


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(str(position).encode()).decode()
