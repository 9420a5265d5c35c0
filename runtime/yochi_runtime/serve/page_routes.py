"""The pages of worker, auditor, engineer and first run: templates and files, nothing from elsewhere."""

from importlib import resources
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException

from ..errors import NoteError, UsageError
from ..inspection import Note
from ..mode import Mode
from ..taxonomy import Source, Text
from ..wording import display_language
from .access import COOKIE, PAGES
from .intake import read_small
from .page_words import page_words, reason_words, slot_names
from .service import Service
from .view_words import View, view_words

FILES = {
    **dict.fromkeys(("page.css", "views.css", "setup.css"), "text/css"),
    **dict.fromkeys(
        ("page.js", "views.js", "audit.js", "engineer.js", "change.js", "setup.js"), "text/javascript"
    ),
}
MAX_KEYS = 24  # notes that have a key of their own
SESSION = 12 * 3600  # seconds that a browser stays logged in: a shift
_TEMPLATES = Environment(
    loader=PackageLoader("yochi_runtime.serve", "page"), autoescape=True, undefined=StrictUndefined
)


def page_routes(service: Service) -> APIRouter:
    """The pages, their files, the login beyond the box, and the names that they need."""
    routes = APIRouter(include_in_schema=False)

    def language(request: Request) -> Literal["en", "ja"]:
        """What was chosen for the box, or the browser's."""
        return service.kept.kept.language or _language(request)

    @routes.get("/")
    def page(request: Request) -> Response:
        return _rendered("page.html", language(request), settings=_of_worker(service, request))

    @routes.get("/audit")
    def audit(request: Request) -> Response:
        return _view("audit", language(request))

    @routes.get("/engineer")
    def engineer(request: Request) -> Response:
        return _view("engineer", language(request))

    @routes.get("/setup")
    def setup(request: Request) -> Response:
        return _view("setup", language(request))

    @routes.get("/page/{name}")
    def file(name: str) -> Response:
        if name not in FILES:
            raise HTTPException(404, "expected a file of the page, got another")
        data = (resources.files(__package__) / "page" / name).read_bytes()
        return Response(data, media_type=FILES[name])

    @routes.get("/v1/slots")
    def slots() -> dict[str, Text]:
        pack = service.desk.pack
        if pack is None:
            raise HTTPException(503, "expected an open bundle, there is none yet; see /readyz")
        return slot_names(pack)

    routes.include_router(_login_routes(service))
    return routes


def _login_routes(service: Service) -> APIRouter:
    routes = APIRouter()

    @routes.post("/login")
    async def login(request: Request) -> Response:
        """The token from the form becomes a cookie that no script can read and no other site can send."""
        access = service.settings.access
        sent = parse_qs((await read_small(request)).decode("utf-8", "replace"))
        to = sent.get("to", [""])[0]
        if not access.is_token(sent.get("token", [""])[0].strip()):
            return login_page(request, to=to, wrong=True)
        answer = RedirectResponse(_page(to), 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(
            COOKIE, access.session(), max_age=SESSION, httponly=True, secure=secure, samesite="strict"
        )
        return answer

    return routes


def _of_worker(service: Service, request: Request) -> dict[str, Any]:
    """What the worker's page begins with."""
    live = service.live
    return {
        "live": live is not None,
        "first_run": live is None and service.settings.access.first_run(request.scope),
        "shadow": service.desk.mode is Mode.SHADOW,
        "note": "" if live is None else live.note.raw or "",
        "notes": service.settings.notes,
        "sources": list(Source),
        "reasons": reason_words(),
        "words": {"en": page_words("en"), "ja": page_words("ja")},
    }


def login_page(request: Request, *, to: str | None = None, wrong: bool = False) -> Response:
    """401 in the form that a person can answer; it leads `to` a page, or to the one asked for."""
    wanted = _page(request.url.path if to is None else to)
    answer = _rendered("login.html", _language(request), to=wanted, wrong=wrong)
    answer.status_code = 401
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def read_notes(file: Path | None) -> tuple[str, ...]:
    """The site's notes for the page's keys, one a line; UsageError where one could not be judged."""
    if file is None:
        return ()
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"expected notes, one a line, in {file}, got: {e}; give a UTF-8 text file") from e
    notes = tuple(line for line in lines if line)
    if not 1 <= len(notes) <= MAX_KEYS:
        raise UsageError(f"expected 1 to {MAX_KEYS} notes in {file}, got {len(notes)}; shorten it")
    for note in notes:
        try:
            Note(note)
        except NoteError as e:
            raise UsageError(f"{file}: {e}") from e
    return notes


def _page(path: str) -> str:
    """No form leads anywhere but to a page of ours."""
    return path if path in PAGES else PAGES[0]


def _view(name: View, lang: Literal["en", "ja"]) -> HTMLResponse:
    words = {"en": view_words(name, "en"), "ja": view_words(name, "ja")}
    settings = {"reasons": reason_words(), "words": words}
    html = _TEMPLATES.get_template(f"{name}.html").render(lang=lang, words=words[lang], settings=settings)
    return HTMLResponse(html)


def _rendered(name: str, lang: Literal["en", "ja"], **values: Any) -> HTMLResponse:
    words = {"en": page_words("en"), "ja": page_words("ja")}
    return HTMLResponse(_TEMPLATES.get_template(name).render(lang=lang, words=words, **values))


def _language(request: Request) -> Literal["en", "ja"]:
    """The browser's first, or the box's."""
    first = request.headers.get("accept-language", "").strip().lower()
    if first.startswith("ja"):
        return "ja"
    return "en" if first.startswith("en") else display_language(None)
