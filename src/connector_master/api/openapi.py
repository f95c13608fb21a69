"""The OpenAPI document: FastAPI's, completed with what it can't know, and a page to read it."""

from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from connector_master.api.guard import WITH_BODY
from connector_master.api.plumbing import ProblemView, permission_of, problems, routes_of
from connector_master.connectors import registry


def complete(app: FastAPI) -> None:
    """Make `app` describe itself fully: problems, permissions, the public doors."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]

    @app.get("/api/docs", include_in_schema=False)
    async def docs() -> Response:
        """Show the document as a page that needs no script."""
        return Response(_page(app.openapi()), media_type="text/html", headers={"Content-Security-Policy": _CSP})


_CSP = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes, openapi_version="3.1.0"
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = ProblemView.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["ProblemView"] = problem
    for route in routes_of(app):
        if route.include_in_schema:
            for method in route.methods or ():
                operation = document["paths"][route.path_format][method.lower()]
                permission = permission_of(route)
                if permission is not None:
                    operation["x-permission"] = permission.value
                elif "security" in operation:
                    # It looks at its callers itself, and takes some without a key.
                    operation["security"].append({})
                # FastAPI's own validation answer, which ours replaces.
                if "HTTPValidationError" in str(operation["responses"].get("422", "")):
                    del operation["responses"]["422"]
                _add_what_the_guard_answers(method, operation)
    schemas["NewConnector"]["properties"]["type"]["enum"] = list(registry())
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    for connector in registry().values():
        if connector.door is not None:
            document["paths"][f"/api/connectors/{connector.door}/{{webhookId}}"] = _door(connector.title)
    return document


def _add_what_the_guard_answers(method: str, operation: dict[str, Any]) -> None:
    answered = (408, 413, 415, 422) if method in WITH_BODY else (422,)
    declared = {str(status): answer for status, answer in problems(*answered).items()}
    operation["responses"] = dict(sorted((declared | operation["responses"]).items()))


_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemView"}}}
_DOOR_ANSWERS = {
    "400": "The phone is missing or invalid, or the body can't be read; `eventId` names what was kept",
    "401": "The signature is wrong, or missing where it is required",
    "404": "No connector has this address",
    "408": "The request took too long to arrive",
    "413": "Body too large",
    "415": "Body of a type that is not read",
    "429": "Over the connector's limit",
    "500": "Something went wrong here; nothing was acknowledged",
    "503": "Storage unavailable; nothing was acknowledged",
}


def _door(title: str) -> dict[str, Any]:
    responses: dict[str, Any] = {
        "200": {"description": "Stored. The body says what became of it.", "content": {"application/json": {}}}
    }
    responses |= {status: {"description": words, "content": _PROBLEM} for status, words in _DOOR_ANSWERS.items()}
    return {
        "parameters": [{"name": "webhookId", "in": "path", "required": True, "schema": {"type": "string"}}],
        "post": {
            "tags": ["doors"],
            "summary": f"Receive what {title} sends",
            "operationId": f"receive_{title.lower().replace(' ', '_')}",
            "security": [],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {}},
                    "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
                    "multipart/form-data": {"schema": {"type": "object"}},
                    "application/x-ndjson": {"schema": {"type": "string"}},
                    "text/plain": {"schema": {"type": "string"}},
                },
            },
            "responses": responses,
        },
    }


def _page(document: dict[str, Any]) -> str:
    from html import escape

    rows = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            statuses = ", ".join(sorted(operation["responses"]))
            rows.append(
                f"<tr><td><code>{method.upper()} {escape(path)}</code></td><td>{escape(operation.get('summary', ''))}</td>"
                f"<td>{escape(operation.get('x-permission', 'public'))}</td><td>{escape(statuses)}</td></tr>"
            )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(document['info']['title'])} API</title></head><body><h1>API</h1>"
        '<p>The whole contract: <a href="/api/openapi.json">openapi.json</a></p>'
        '<table><thead><tr><th scope="col">Route</th><th scope="col">What it does</th><th scope="col">Permission</th>'
        f'<th scope="col">Answers</th></tr></thead><tbody>{"".join(rows)}</tbody></table></body></html>'
    )
