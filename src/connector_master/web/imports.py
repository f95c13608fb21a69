"""Bringing leads in a file: choosing it, seeing what it would become, and following its import."""

from starlette.responses import Response

from connector_master.access.roles import Permission
from connector_master.model.problem import InvalidRequest, Problem
from connector_master.services import connectors, imports
from connector_master.web.catalogue import faults_of, status_words
from connector_master.web.language import _
from connector_master.web.leads import field_words
from connector_master.web.pages import Pages
from connector_master.web.visit import Visit

pages = Pages()


@pages.get("/connectors/{id}/imports", Permission.CONNECTORS_OPERATE)
async def choose_file(visit: Visit) -> Response:
    """Ask for a file, and show the latest ones."""
    return await _choose(visit)


@pages.post("/connectors/{id}/imports", Permission.CONNECTORS_OPERATE)
async def bring(visit: Visit) -> Response:
    """Keep the file, and show what it would become."""
    upload = visit.upload("file")
    try:
        if upload is None:
            raise InvalidRequest(_("Choose a file."), field="file")
        found = await imports.bring(visit.hub, visit.caller, visit.id(), upload.filename or "", await upload.read())
    except Problem as problem:
        return await _choose(visit, problem)
    return visit.go(f"/connectors/{visit.id()}/imports/{found.id}")


@pages.get("/connectors/{id}/imports/{import_id}", Permission.CONNECTORS_OPERATE)
async def preview(visit: Visit) -> Response:
    """Show what the first rows would become."""
    found = await imports.get(visit.hub, visit.caller, visit.id(), visit.id("import_id"))
    if found.job_id is not None:
        return visit.go(f"/jobs/{found.job_id}")
    shown = await connectors.get(visit.hub, visit.caller, visit.id())
    seen = await imports.preview(visit.hub, visit.caller, visit.id(), found.id)
    words = field_words()
    used = [name for name in words if any(one.lead.get(name) for one in seen.tried)]
    return visit.show(
        "imports/preview.html", shown=shown, statuses=status_words(), preview=seen, words=words, used=used
    )


@pages.post("/connectors/{id}/imports/{import_id}/start", Permission.CONNECTORS_OPERATE)
async def start(visit: Visit) -> Response:
    """Take the rows in, in the background."""
    job = await imports.start(visit.hub, visit.caller, visit.id(), visit.id("import_id"))
    return visit.go(f"/jobs/{job.id}")


@pages.get("/connectors/{id}/imports/{import_id}/failures.csv", Permission.CONNECTORS_OPERATE)
async def report(visit: Visit) -> Response:
    """Send which rows failed, and why."""
    text = await imports.report(visit.hub, visit.caller, visit.id(), visit.id("import_id"))
    name = f"failed-rows-{visit.id('import_id')}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, headers=headers, media_type="text/csv; charset=utf-8")


async def _choose(visit: Visit, problem: Problem | None = None) -> Response:
    shown = await connectors.get(visit.hub, visit.caller, visit.id())
    recent = await imports.list_recent(visit.hub, visit.caller, visit.id())
    return visit.show(
        "imports/choose.html",
        problem.status if problem else 200,
        shown=shown,
        statuses=status_words(),
        imports=recent,
        faults=faults_of(problem),
    )
