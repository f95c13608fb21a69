"""Every route of the OpenAPI document, called by every role and by nobody, against the one table of permissions."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest

from connector_master.access.roles import PERMISSIONS, Permission, Role
from connector_master.storage.ids import new_id
from tests.contracts.conftest import NAMES, Route
from tests.support.hub import Hub

CALLBACK = "/api/connectors/oauth/callback"
PUBLIC = {"/healthz", "/readyz", "/metrics"}
ROLES = [*Role, None]
UNKNOWN: Mapping[str, UUID] = {name: new_id() for name in (*NAMES, "webhookId")}
VALID: Mapping[str, dict[str, Any]] = {
    "PUT /api/connectors/{connector_id}/field-mapping": {"fieldMapping": None},
    "POST /api/connectors/{connector_id}/field-mapping/try": {"fieldMapping": None},
    "POST /api/connectors/{connector_id}/test-webhook": {"payload": {}},
    "PUT /api/connectors/{connector_id}/accounts": {"ids": []},
}
"""Bodies that are fit where an empty one is not."""


def fault_in(answer: httpx2.Response) -> str | None:
    """Say what is wrong with the shape of an error, None when it is a full problem."""
    if answer.headers.get("content-type") != "application/problem+json":
        return f"content type {answer.headers.get('content-type')}"
    problem = answer.json()
    missing = {"type", "title", "status", "detail", "code", "remedy"} - set(problem)
    if missing or problem["status"] != answer.status_code:
        return f"lacks {missing}, status {problem.get('status')}"
    empty = [name for name in ("title", "detail", "code", "remedy") if not problem[name]]
    return f"empty {empty}" if empty else None


def test_every_route_says_who_may_call_it(routes: list[Route]) -> None:
    open_ones = [str(route) for route in routes if route.permission is None and not route.is_door]

    assert {name.split(" ")[1] for name in open_ones} == PUBLIC
    assert {route.permission for route in routes if route.permission} <= {one.value for one in Permission}


@pytest.mark.parametrize("role", ROLES)
async def test_a_route_lets_in_whom_the_table_names(hub: Hub, routes: list[Route], role: Role | None) -> None:
    wrong = []
    for route in routes:
        if route.permission is None:
            continue
        body = {"notAField": 1} if route.takes_body else None
        answer = await hub.api(route.method, route.filled(dict(UNKNOWN)), body, role=role)
        is_let_in = role is not None and role in PERMISSIONS[Permission(route.permission)]
        refusal = 401 if role is None else 403
        if is_let_in == (answer.status_code in (401, 403)) or (not is_let_in and answer.status_code != refusal):
            wrong.append(f"{route} as {role}: {answer.status_code}")
        if answer.status_code not in route.declared:
            wrong.append(f"{route} as {role}: {answer.status_code} is not declared")
        if answer.status_code >= 400 and (fault := fault_in(answer)):
            wrong.append(f"{route} as {role}: {fault}")
        if answer.status_code >= 500:
            wrong.append(f"{route} as {role}: {answer.text}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("authorization", ["Bearer nonsense", "Bearer cmk_x", "Basic YTpi", "Bearer", "nonsense"])
async def test_what_is_no_key_of_ours_is_no_key(hub: Hub, routes: list[Route], authorization: str) -> None:
    wrong = []
    for route in routes:
        if route.permission is None:
            continue
        answer = await hub.client.request(
            route.method, route.filled(dict(UNKNOWN)), headers={"Authorization": authorization}, json={}
        )
        if answer.status_code != 401 or fault_in(answer) or answer.headers.get("www-authenticate") != "Bearer":
            wrong.append(f"{route}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", ["admin", None])
async def test_other_methods_are_refused_and_tell_nothing(hub: Hub, routes: list[Route], role: str | None) -> None:
    known: dict[str, set[str]] = {}
    for route in routes:
        known.setdefault(route.path, set()).add(route.method)
    wrong = []
    for path, methods in known.items():
        filled = Route("", path, {}).filled(dict(UNKNOWN))
        for method in {"GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE", "PATCH", "TRACE"} - methods:
            answer = await hub.api(method, filled, role=role)
            # An unknown webhook address says no more than that, whatever the method; others name what they take.
            allowed = {404} if "{webhookId}" in path else {405}
            others = [one for one in routes if one.method == method and one.matches(filled)]
            if answer.status_code not in allowed and not others:
                wrong.append(f"{method} {path}: {answer.status_code}")
            if method == "HEAD":
                if answer.content:
                    wrong.append(f"HEAD {path} has a body")
            elif fault := fault_in(answer):
                wrong.append(f"{method} {path}: {fault}")
            if answer.status_code == 405:
                named = {one.strip() for one in answer.headers.get("allow", "").split(",")}
                if named != methods and "{webhookId}" not in path:
                    wrong.append(f"{method} {path}: Allow is {named}")
            if "access-control-allow-origin" in answer.headers:
                wrong.append(f"{method} {path}: CORS")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/connectors/",
        "/api/connectors//logs",
        "/API/connectors",
        "/api/users/x/y/z",
        "/.git/HEAD",
        "/api/../.env",
        "/%2e%2e/etc/passwd",
        "/docs",
        "/redoc",
        "/openapi.json",
    ],
)
@pytest.mark.parametrize("role", ["admin", None])
async def test_an_address_that_is_not_declared_is_404(hub: Hub, path: str, role: str | None) -> None:
    answer = await hub.api("GET", path, role=role)

    assert (answer.status_code, fault_in(answer)) == (404, None)


async def test_an_unknown_field_of_a_body_is_refused_by_name(
    hub: Hub, routes: list[Route], ids: dict[str, UUID]
) -> None:
    wrong = []
    for route in routes:
        if not route.takes_body or route.is_door:
            continue
        for name in ("notAField", "workspaceId", "id", "createdAt"):
            answer = await hub.api(route.method, route.filled(ids), VALID.get(str(route), {}) | {name: "x"})
            named = [one["field"] for one in answer.json().get("errors", ())]
            if answer.status_code != 422 or name not in named:
                wrong.append(f"{route} {name}: {answer.status_code} {named}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b"\xff\xfe", 400), (b"[]", 422), (b'"x"', 422), (b"null", None), (b"[" * 100_000, 400), (b"", None)],
    ids=["cut", "binary", "list", "text", "null", "deep", "empty"],
)
async def test_a_body_that_is_no_object_is_a_problem(
    hub: Hub, routes: list[Route], ids: dict[str, UUID], content: bytes, status: int | None
) -> None:
    wrong = []
    for route in routes:
        if not route.takes_body or route.is_door or "regenerate" in route.path or "sync" in route.path:
            continue
        answer = await hub.api(
            route.method, route.filled(ids), content=content, headers={"Content-Type": "application/json"}
        )
        if answer.status_code not in ({400, 422} if status is None else {status}) or fault_in(answer):
            wrong.append(f"{route}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("role", "status"), [(None, 401), ("executive", 403)])
async def test_a_body_that_is_no_json_does_not_go_before_the_question_who_calls(
    hub: Hub, routes: list[Route], ids: dict[str, UUID], role: str | None, status: int
) -> None:
    wrong = []
    for route in routes:
        if route.takes_body and not route.is_door:
            answer = await hub.api(
                route.method, route.filled(ids), role=role, content=b"{", headers={"Content-Type": "application/json"}
            )
            if answer.status_code != status or fault_in(answer):
                wrong.append(f"{route}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


async def test_a_repeated_or_unknown_query_parameter_is_refused_by_name(
    hub: Hub, routes: list[Route], ids: dict[str, UUID]
) -> None:
    wrong = []
    for route in routes:
        if not route.query or route.path == CALLBACK:
            # Providers add to their return what they like.
            continue
        asked = route.filled(ids)
        asked += "&" if "?" in asked else "?"
        for name in route.query:
            if name in asked:
                continue
            answer = await hub.api(route.method, f"{asked}{name}=1&{name}=2")
            if answer.status_code != 422 or [one["field"] for one in answer.json()["errors"]] != [name]:
                wrong.append(f"{route} {name} twice: {answer.status_code}")
        for unknown in ("limit[]", "notAParameter"):
            answer = await hub.api(route.method, f"{asked}{unknown}=1")
            if answer.status_code != 422 or [one["field"] for one in answer.json()["errors"]] != [unknown]:
                wrong.append(f"{route} {unknown}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1e3", "99999999999999999999"])
async def test_a_limit_outside_1_to_200_is_refused(
    hub: Hub, routes: list[Route], ids: dict[str, UUID], limit: str
) -> None:
    lists = [route for route in routes if "limit" in route.query]
    answers = [await hub.api("GET", route.filled(ids), params={"limit": limit}) for route in lists]

    assert lists
    assert [answer.status_code for answer in answers] == [422] * len(lists)


@pytest.mark.parametrize("cursor", ["x", "AAAA", "YzEAAAAA", "..", "' OR 1=1 --", "é", "%00", "a" * 200])
async def test_a_cursor_that_was_tampered_with_is_400(
    hub: Hub, routes: list[Route], ids: dict[str, UUID], cursor: str
) -> None:
    lists = [route for route in routes if "cursor" in route.query]
    wrong = []
    for route in lists:
        answer = await hub.api("GET", route.filled(ids), params={"cursor": cursor})
        if (answer.status_code, answer.json().get("code")) != (400, "invalid_cursor") or fault_in(answer):
            wrong.append(f"{route}: {answer.status_code} {answer.text[:200]}")
    assert lists
    assert not wrong, "\n".join(wrong)


async def test_what_lies_in_another_workspace_is_not_there(
    hub: Hub, routes: list[Route], foreign_ids: dict[str, UUID], hub_database: str
) -> None:
    wrong = []
    before = await _rows_of(hub_database, foreign_ids)
    for route in routes:
        if "{" not in route.path or route.is_door:
            continue
        body = VALID.get(str(route), {}) if route.takes_body else None
        theirs = await hub.api(route.method, route.filled(foreign_ids), body)
        nobodys = await hub.api(route.method, route.filled(dict(UNKNOWN)), body)
        if (theirs.status_code, theirs.json()) != (404, nobodys.json()):
            wrong.append(f"{route}: {theirs.status_code} {theirs.text[:200]}")
    assert not wrong, "\n".join(wrong)
    assert await _rows_of(hub_database, foreign_ids) == before


async def test_lists_show_nothing_of_another_workspace(
    hub: Hub, routes: list[Route], ids: dict[str, UUID], foreign_ids: dict[str, UUID]
) -> None:
    lists = [
        route
        for route in routes
        if route.method == "GET" and route.permission and "{" not in route.path and route.path != CALLBACK
    ]
    asked: list[tuple[Route, dict[str, str]]] = [(route, {}) for route in lists]
    # Not the audit trail from here on: it tells what we ask for.
    for route in (one for one in lists if one.path != "/api/audit"):
        if "connectorId" in route.query:
            asked.append((route, {"connectorId": str(foreign_ids["connector_id"])}))
        if "q" in route.query:
            asked += [(route, {"q": str(foreign_ids[name])}) for name in ("event_id", "lead_id")]
    wrong = []
    for route, query in asked:
        answer = await hub.api("GET", route.path, params=query)
        shown = [name for name, id_ in foreign_ids.items() if str(id_) in answer.text]
        if answer.status_code != 200 or shown:
            wrong.append(f"{route} {query}: {answer.status_code} {shown}")
    assert not wrong, "\n".join(wrong)


async def test_answers_are_not_to_be_stored_or_sniffed(hub: Hub, routes: list[Route], ids: dict[str, UUID]) -> None:
    wrong = []
    for route in routes:
        if route.method != "GET" or route.path == "/metrics" or "sync_id" in route.path:
            continue
        answer = await hub.api("GET", route.filled(ids))
        headers = (answer.headers.get("cache-control"), answer.headers.get("x-content-type-options"))
        needs_connection = "/oauth/" in route.path or route.path.endswith("/accounts")
        is_answered = answer.status_code == 200 or (needs_connection and answer.status_code in (400, 404, 409))
        if headers != ("no-store", "nosniff") or not is_answered or "server" in answer.headers:
            wrong.append(f"{route}: {answer.status_code} {headers}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("broken", ["x", "123", "00000000-0000-0000-0000-00000000000g", "' OR 1=1 --", "%00", "é"])
async def test_an_id_that_is_no_uuid_is_422(hub: Hub, routes: list[Route], broken: str) -> None:
    wrong = []
    for route in routes:
        if "{" not in route.path or route.is_door:
            continue
        path = route.path
        for part in route.path.split("/"):
            if part.startswith("{"):
                path = path.replace(part, broken.replace(" ", "%20"))
        answer = await hub.api(route.method, path, VALID.get(str(route), {}) if route.takes_body else None)
        others = [one for one in routes if one is not route and one.method == route.method and one.matches(path)]
        if (answer.status_code != 422 or fault_in(answer)) and not others:
            wrong.append(f"{route}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


async def _rows_of(database: str, ids: Mapping[str, UUID]) -> list[Any]:
    async with await psycopg.AsyncConnection.connect(database) as connection:
        cursor = await connection.execute(
            "SELECT to_jsonb(c), (SELECT to_jsonb(e) FROM events e WHERE e.id = %(event_id)s),"
            " (SELECT to_jsonb(u) FROM users u WHERE u.id = %(user_id)s),"
            " (SELECT to_jsonb(k) FROM api_keys k WHERE k.id = %(key_id)s),"
            " (SELECT to_jsonb(j) FROM jobs j WHERE j.id = %(job_id)s),"
            " (SELECT to_jsonb(d) FROM destinations d WHERE d.id = %(destination_id)s),"
            " (SELECT to_jsonb(q) FROM deliveries q WHERE q.id = %(delivery_id)s)"
            " FROM connectors c WHERE c.id = %(connector_id)s",
            dict(ids),
        )
        return await cursor.fetchall()
