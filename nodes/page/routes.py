"""The routes of the web extension, as ComfyUI gets them while it starts; `handlers` answers them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from .. import host
from ..errors import MissingDependencyError
from ..packages import packages_named

if TYPE_CHECKING:
    from aiohttp.web import Request, StreamResponse

PREFIX = "/sora2pro"
# Method, path, name in `handlers.HANDLERS`.
ROUTES: tuple[tuple[str, str, str], ...] = (
    ("GET", "/nodes", "nodes"),
    ("GET", "/price", "price"),
    ("POST", "/questions/{name}", "answer_question"),
    ("GET", "/models", "models"),
    ("POST", "/outlook", "what_would_run"),
    ("GET", "/pictures/{name}", "picture"),
    ("GET", "/jobs", "jobs"),
    ("GET", "/jobs/{name}", "job"),
    ("GET", "/jobs/{name}/clip", "clip"),
    ("DELETE", "/jobs/{name}/clip", "delete_file"),
    ("GET", "/jobs/{name}/thumbnail", "thumbnail"),
    ("GET", "/jobs/{name}/inputs", "inputs"),
    ("GET", "/spending.csv", "spending"),
    ("GET", "/balance", "balance_of_account"),
    ("POST", "/jobs/{name}/{action}", "act"),
    ("GET", "/settings", "settings"),
    ("PUT", "/settings", "change_settings"),
    ("PUT", "/token", "save_token"),
    ("DELETE", "/token", "forget_token"),
    ("POST", "/token/check", "check_token"),
    ("POST", "/doctor", "doctor"),
)


def register() -> None:
    """Add the routes to ComfyUI's server while it loads the pack; outside of ComfyUI do nothing."""
    table = host.route_table()
    if table is not None:
        add_to(table)


def add_to(table: Any) -> None:  # noqa: ANN401 - aiohttp's RouteTableDef; aiohttp is not loaded outside of ComfyUI
    """Add the routes to a table."""
    for method, path, name in ROUTES:
        table.route(method, PREFIX + path)(_answered_by(name))


def _answered_by(name: str) -> Callable[[Request], Awaitable[StreamResponse]]:
    async def answered(request: Request) -> StreamResponse:
        try:
            with packages_named():
                from .handlers import answer  # noqa: PLC0415 - loaded when it is called: see nodes/__init__.py
        except MissingDependencyError as error:
            from aiohttp import web  # noqa: PLC0415 - ComfyUI has it; a bare Python may not

            return web.json_response({"error": str(error), "kind": type(error).__name__}, status=409)
        return await answer(name, request)

    return answered
