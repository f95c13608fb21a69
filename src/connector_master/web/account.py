"""One's own account: signing in and out, the password, how pages look, and where one is signed in."""

from starlette.responses import Response

from connector_master.model.problem import Problem
from connector_master.services import sessions, users
from connector_master.web.language import LANGUAGES, LONGEST_LANGUAGE_MEMORY, _, say, zones
from connector_master.web.pages import Everybody, Pages
from connector_master.web.visit import Visit, safe_path

pages = Pages()

_THEMES = ("system", "light", "dark")


@pages.get("/sign-in", Everybody.STRANGERS)
async def sign_in_form(visit: Visit) -> Response:
    """Ask who it is."""
    if visit.visitor is not None:
        return visit.go(safe_path(visit.asked("next")))
    return visit.show("sign_in.html", fault=None)


@pages.post("/sign-in", Everybody.STRANGERS)
async def sign_in(visit: Visit) -> Response:
    """Sign in, and go where one was going."""
    try:
        token = await sessions.sign_in(
            visit.hub.engine,
            visit.field("email"),
            visit.field("password"),
            ip=visit.ip,
            user_agent=visit.request.headers.get("user-agent", ""),
        )
    except Problem as problem:
        return visit.show("sign_in.html", status=problem.status, fault=problem)
    visitor = await sessions.visitor(visit.hub.engine, token, visit.ip)
    zone = visit.field("timeZone")
    if visitor is not None and visitor.time_zone is None and zone in zones():
        await sessions.prefer(visit.hub.engine, visitor, time_zone=zone)
    return visit.remember(visit.go(safe_path(visit.field("next"))), token)


@pages.post("/sign-out", Everybody.NEWCOMERS)
async def sign_out(visit: Visit) -> Response:
    """End this session."""
    assert visit.visitor is not None
    await sessions.sign_out(visit.hub.engine, visit.visitor)
    return visit.forget(visit.go("/sign-in", _("You are signed out.")))


@pages.get("/password", Everybody.NEWCOMERS)
async def password_form(visit: Visit) -> Response:
    """Ask for a new password."""
    return visit.show("password.html", faults={})


@pages.post("/password", Everybody.NEWCOMERS)
async def change_password(visit: Visit) -> Response:
    """Change the password; every other session ends."""
    assert visit.visitor is not None
    new = visit.field("password")
    if new != visit.field("again"):
        return visit.show("password.html", status=422, faults={"again": _("The two don't match.")})
    try:
        await users.change_own_password(visit.hub.engine, visit.caller, visit.field("oldPassword"), new)
    except Problem as problem:
        faults = {error.field: say(error.message) for error in problem.errors}
        return visit.show("password.html", status=problem.status, faults=faults or {"password": say(problem.detail)})
    token = await sessions.sign_in(
        visit.hub.engine,
        visit.visitor.email,
        new,
        ip=visit.ip,
        user_agent=visit.request.headers.get("user-agent", ""),
    )
    return visit.remember(visit.go("/", _("Your password is changed. Other sessions have ended.")), token)


@pages.get("/profile", Everybody.SIGNED_IN)
async def profile(visit: Visit) -> Response:
    """Show one's own account."""
    assert visit.caller.id is not None
    live = await sessions.of_user(visit.hub.engine, visit.caller, visit.caller.id)
    return visit.show("profile.html", sessions=live, zones=sorted(zones()))


@pages.post("/profile/time-zone", Everybody.SIGNED_IN)
async def choose_zone(visit: Visit) -> Response:
    """Show times in another zone from now on."""
    assert visit.visitor is not None
    zone = visit.field("timeZone")
    if zone in zones():
        await sessions.prefer(visit.hub.engine, visit.visitor, time_zone=zone)
    return visit.go("/profile", _("Times are now shown in %(zone)s.", zone=zone) if zone in zones() else None)


@pages.post("/profile/sessions/{id}/end", Everybody.SIGNED_IN)
async def end_session(visit: Visit) -> Response:
    """End one of one's own sessions."""
    assert visit.caller.id is not None
    await sessions.end(visit.hub.engine, visit.caller, visit.caller.id, visit.id())
    return visit.go("/profile", _("That session has ended."))


@pages.post("/profile/sessions/end-others", Everybody.SIGNED_IN)
async def end_other_sessions(visit: Visit) -> Response:
    """End all of one's own sessions but this one."""
    assert visit.visitor is not None
    assert visit.caller.id is not None
    await sessions.end_all(visit.hub.engine, visit.caller, visit.caller.id, but=visit.visitor.session_id)
    return visit.go("/profile", _("All other sessions have ended."))


@pages.post("/language", Everybody.STRANGERS)
async def choose_language(visit: Visit) -> Response:
    """Speak another language from now on."""
    language = visit.field("language")
    response = visit.go(safe_path(visit.field("back")))
    if language in LANGUAGES:
        if visit.visitor is not None:
            await sessions.prefer(visit.hub.engine, visit.visitor, language=language)
        response.set_cookie(
            "language", language, max_age=LONGEST_LANGUAGE_MEMORY, httponly=True, samesite="lax", secure=visit.is_https
        )
    return response


@pages.post("/theme", Everybody.SIGNED_IN)
async def choose_theme(visit: Visit) -> Response:
    """Look light, dark, or as the system does from now on."""
    assert visit.visitor is not None
    if visit.field("theme") in _THEMES:
        await sessions.prefer(visit.hub.engine, visit.visitor, theme=visit.field("theme"))
    return visit.go(safe_path(visit.field("back")))


@pages.get("/help", Everybody.SIGNED_IN)
async def help_page(visit: Visit) -> Response:
    """Show the shortcuts, and where more is written."""
    return visit.show("help.html")
