"""The web application: the page's files, and what its script asks for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from divergen_records import DivergenError
from divergen_records.errors import require_extra

from .access import Access, Guard
from .desk import Desk, Judgement, Outcome
from .pictures import Pictures, View
from .rows import Query

with require_extra("divergen-filter", "review"):
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

__all__ = ["review_app"]

_PAGE = Path(__file__).parent / "page"
_MOST_ROWS, _MOST_SIDE = 500, 1600
_VIEWS: dict[str, View] = {"outline": "outline", "plain": "plain", "cutout": "cutout"}


class _Api:
    def __init__(self, desk: Desk, pictures: Pictures, title: str, reviewer: str, told: Callable[[], None]) -> None:
        self.desk, self.pictures, self.told = desk, pictures, told
        self.begin = {"title": title, "reviewer": reviewer, "count": len(desk.rows)}

    def start(self, request: Request) -> Response:
        """What the page needs once."""
        rows = self.desk.rows
        return JSONResponse({**self.begin, "facets": rows.facets(), **self.desk.changes(len(rows.log.entries))})

    async def find(self, request: Request) -> Response:
        """Places of the rows that a query asks for."""
        query = Query.model_validate_json(await request.body())
        found = await run_in_threadpool(self.desk.rows.find, query)
        return JSONResponse({"rows": found.tolist()})

    async def describe(self, request: Request) -> Response:
        """What there is to know about rows."""
        places = [place for place in await request.json() if isinstance(place, int)][:_MOST_ROWS]
        known = [place for place in places if 0 <= place < len(self.desk.rows)]
        return JSONResponse({"rows": self.desk.rows.describe(known)})

    def picture(self, request: Request) -> Response:
        """A row's picture; it never changes while the server runs."""
        view, side = _VIEWS.get(request.path_params["view"]), request.path_params["side"]
        row = request.path_params["row"]
        if view is None or row >= len(self.desk.rows):
            return PlainTextResponse("no such picture", 404)
        data, kind = self.pictures.draw(self.desk.rows.ids[row], view, max(16, min(side, _MOST_SIDE)))
        return Response(data, media_type=kind, headers={"cache-control": "private, max-age=86400, immutable"})

    async def judge(self, request: Request) -> Response:
        """A verdict; it is on the disk when this answers."""
        said = Judgement.model_validate_json(await request.body())
        return self._told(await run_in_threadpool(self.desk.judge, said))

    async def undo(self, request: Request) -> Response:
        """Take back the last verdict."""
        reviewer = str((await request.json()).get("reviewer", ""))
        return self._told(await run_in_threadpool(self.desk.undo, reviewer))

    def changes(self, request: Request) -> Response:
        """What others have said since."""
        return JSONResponse(self.desk.changes(request.path_params["since"]))

    def _told(self, outcome: Outcome) -> Response:
        self.told()
        places = [*outcome.done, *outcome.refused]
        answer = {"done": outcome.done, "refused": outcome.refused, "rows": self.desk.states(places)}
        return JSONResponse({**answer, "reviewed": self.desk.rows.reviewed()})


def review_app(
    desk: Desk, pictures: Pictures, access: Access, *, title: str, reviewer: str, told: Callable[[], None]
) -> Starlette:
    """The application.

    Args:
        desk: The rows and their log.
        pictures: Draws them.
        access: Who may use it.
        title: What is reviewed.
        reviewer: Name of the reviewer until the page is told another one.
        told: Is called after each verdict.
    """
    api = _Api(desk, pictures, title, reviewer, told)
    post = partial(Route, methods=["POST"])
    return Starlette(
        routes=[
            Route("/", lambda request: FileResponse(_PAGE / "index.html")),
            Mount("/page", StaticFiles(directory=_PAGE)),
            Route("/start", api.start),
            Route("/changes/{since:int}", api.changes),
            Route("/picture/{row:int}/{view}/{side:int}", api.picture),
            post("/find", api.find),
            post("/describe", api.describe),
            post("/judge", api.judge),
            post("/undo", api.undo),
        ],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={DivergenError: _refuse, ValueError: _refuse},
    )


def _refuse(request: Request, error: Any) -> Response:
    """Errors that a user can act on, as a sentence."""
    return PlainTextResponse(str(error), 400)
