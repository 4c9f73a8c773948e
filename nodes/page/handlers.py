"""What answers the routes of the web extension, as JSON."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import host
from ..errors import UNCHANGED, InvalidInputError, RunComfyError
from ..packages import packages_named
from ..run.current import current_account, current_engine, current_settings
from ..run.display import STATES
from ..run.questions import QUESTIONS
from ..run.threads import DaemonThreads
from ..runcomfy import clip_kind, facts_of, resolve_state_dir, shipped_catalogue
from .admission import (
    ALLOWED_HOSTS_VARIABLE,
    MAX_BODY_BYTES,
    MAX_INPUTS_BYTES,
    parsed_body,
    parsed_hosts,
    refusal,
    text_of,
)
from .documents import error_document, json_of, model_document, status_of

if TYPE_CHECKING:
    from aiohttp.web import Request, StreamResponse

    from .balance import Balance
    from .jobs import Panel
    from .outlook import Outlook
    from .settings import Preferences


PAGE = 50
THREADS = 4
# Caches are places where other programs could read it.
PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
Handler = Callable[["Request"], Awaitable["StreamResponse"]]
logger = logging.getLogger("runcomfy.sora2pro.routes")


@cache
def _threads() -> DaemonThreads:
    """Threads of our own: a slow disk or RunComfy must not hold up what else ComfyUI's server does."""
    return DaemonThreads(THREADS, "sora2pro-routes")


@cache
def _panel() -> Panel:
    from .collecting import Collecting  # noqa: PLC0415 - in a thread of ours, where a missing package is told in words
    from .jobs import Panel  # noqa: PLC0415 - as above

    return Panel(current_engine, Collecting())


@cache
def _outlook() -> Outlook:
    from .outlook import Outlook  # noqa: PLC0415 - as above
    from .pictures import Pictures  # noqa: PLC0415 - as above

    return Outlook(current_engine, Pictures())


@cache
def _preferences() -> Preferences:
    from .settings import Preferences  # noqa: PLC0415 - as above

    return Preferences(
        environ=os.environ,
        state_dir=lambda: resolve_state_dir(os.environ, host.default_state_dir),
        settings=current_settings,
        balance_usd=lambda: current_engine().balance_usd(),
    )


@cache
def _balance() -> Balance:
    from .balance import Balance  # noqa: PLC0415 - as above

    return Balance(balance_usd=lambda: current_engine().balance_usd(), account=current_account)


def _allowed_hosts() -> list[str]:
    return [*host.own_names(), *parsed_hosts(os.environ.get(ALLOWED_HOSTS_VARIABLE, ""))]


async def answer(name: str, request: Request) -> StreamResponse:
    """The answer to a request, or why there is none: always JSON, unless it is a file.

    Args:
        name: One of `HANDLERS`.
        request: As it came.
    """
    refused = refusal(request.method, request.headers, _allowed_hosts())
    if refused is not None:
        return _json({"error": refused, "kind": "Refused"}, status=403)
    try:
        return await HANDLERS[name](request)
    except RunComfyError as error:
        return _json(error_document(error), status=status_of(error))
    except (OSError, ValueError, LookupError, AssertionError, ArithmeticError, TypeError, RuntimeError) as error:
        logger.exception("%s %s failed", request.method, request.path)
        words = f"The node pack failed unexpectedly ({type(error).__name__}); see ComfyUI's log. {UNCHANGED}"
        return _json({"error": words, "kind": type(error).__name__}, status=500)


async def _in_thread(work: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the work brings
    def named() -> Any:  # noqa: ANN401 - as above
        with packages_named():
            return work()

    return await asyncio.wrap_future(_threads().run(named))


async def _body(request: Request, most_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        InvalidInputError: It is too long, or not an object.
    """
    if (request.content_length or 0) > most_bytes:
        raise InvalidInputError("The request is too long.", money=UNCHANGED)
    received = bytearray()
    async for chunk in request.content.iter_chunked(MAX_BODY_BYTES):
        received += chunk
        if len(received) > most_bytes:
            raise InvalidInputError("The request is too long.", money=UNCHANGED)
    return parsed_body(bytes(received))


def _json(document: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> StreamResponse:
    from aiohttp import web  # noqa: PLC0415 - ComfyUI has it; a bare Python may not

    return web.json_response(text=json_of(document), status=status, headers={**PRIVATE, **(headers or {})})


def _file(path: Path, content_type: str, *, download: bool = False) -> StreamResponse:
    """A file; aiohttp answers range requests, which a player needs for seeking."""
    from aiohttp import web  # noqa: PLC0415 - as above

    disposition = f'{"attachment" if download else "inline"}; filename="{path.name}"'
    headers = {**PRIVATE, "Content-Type": content_type, "Content-Disposition": disposition}
    # The browser may keep it, but asks each time whether the file is still the same: aiohttp makes an ETag of time and length.
    headers["Cache-Control"] = "private, no-cache"
    return web.FileResponse(path, headers=headers)


def _whole_number(text: str, default: int | None) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else default  # noqa: PLR2004 - SQLite's


async def _nodes(_request: Request) -> StreamResponse:
    return _json({"nodes": STATES.all()})


async def _jobs(request: Request) -> StreamResponse:
    query = request.query
    limit, before_id = _whole_number(query.get("limit", ""), PAGE), _whole_number(query.get("before", ""), None)
    states = [name for name in query.get("states", "").split(",") if name]
    document = await _in_thread(
        lambda: _panel().jobs(
            query.get("search", ""),
            limit=limit or PAGE,
            before_id=before_id,
            states=states,
            model_id=query.get("model", ""),
        )
    )
    # The panel asks every other second; what it has already is not sent again.
    tag = f'"{hashlib.sha256(json_of(document).encode()).hexdigest()[:32]}"'
    if request.headers.get("If-None-Match") == tag:
        return _json({}, status=304, headers={"ETag": tag})
    return _json(document, headers={"ETag": tag})


async def _job(request: Request) -> StreamResponse:
    return _json(await _in_thread(lambda: _panel().job(request.match_info["name"])))


async def _act(request: Request) -> StreamResponse:
    request_id = text_of(await _body(request), "request_id")
    name, action = request.match_info["name"], request.match_info["action"]
    return _json(await _in_thread(lambda: _panel().act(name, action, request_id)))


async def _clip(request: Request) -> StreamResponse:
    path = await _in_thread(lambda: _panel().clip(request.match_info["name"], request.query.get("v", "")))
    kind = await _in_thread(lambda: clip_kind(path))
    return _file(path, kind.content_type, download="download" in request.query)


async def _delete_file(request: Request) -> StreamResponse:
    name, version = request.match_info["name"], request.query.get("v", "")
    return _json(await _in_thread(lambda: _panel().delete_file(name, version)))


async def _inputs(request: Request) -> StreamResponse:
    return _json(await _in_thread(lambda: _panel().inputs(request.match_info["name"])))


async def _spending(_request: Request) -> StreamResponse:
    from aiohttp import web  # noqa: PLC0415 - as above

    table = await _in_thread(lambda: _panel().table().encode("utf-8", "backslashreplace"))
    headers = {
        **PRIVATE,
        "Content-Type": "text/csv; charset=utf-8; header=present",
        "Content-Disposition": 'attachment; filename="runcomfy-spending.csv"',
    }
    return web.Response(body=table, headers=headers)


async def _balance_of_account(_request: Request) -> StreamResponse:
    return _json(await _in_thread(lambda: _balance().document()))


async def _thumbnail(request: Request) -> StreamResponse:
    path = await _in_thread(lambda: _panel().thumbnail(request.match_info["name"], request.query.get("v", "")))
    return _file(path, "image/jpeg")


async def _price(request: Request) -> StreamResponse:
    return _json(await _in_thread(lambda: _panel().price(dict(request.query))))


async def _what_would_run(request: Request) -> StreamResponse:
    document = await _body(request, MAX_INPUTS_BYTES)

    def looked() -> dict[str, Any]:
        from .outlook import parse_inputs  # noqa: PLC0415 - as above

        return _outlook().of(parse_inputs(document))

    return _json(await _in_thread(looked))


async def _picture(request: Request) -> StreamResponse:
    from aiohttp import web  # noqa: PLC0415 - as above

    preview = await _in_thread(lambda: _outlook().preview(request.match_info["name"]))
    if preview is None:
        return _json({"error": "This picture is no longer remembered.", "kind": "UnknownPicture"}, status=404)
    return web.Response(body=preview, content_type="image/jpeg", headers=PRIVATE)


async def _answer_question(request: Request) -> StreamResponse:
    buys = (await _body(request)).get("buys")
    if not isinstance(buys, bool):
        raise InvalidInputError("'buys' must be true or false.", money=UNCHANGED)
    QUESTIONS.answer(request.match_info["name"], buys=buys)
    return _json({})


async def _models(_request: Request) -> StreamResponse:
    def known() -> dict[str, Any]:
        engine = current_engine()
        offers = [engine.describe(entry.model_id) for entry in shipped_catalogue().models]
        return {"models": [model_document(facts_of(offer.entry)) for offer in offers]}

    return _json(await _in_thread(known))


async def _settings(_request: Request) -> StreamResponse:
    return _json(await _in_thread(lambda: _preferences().all()))


async def _change_settings(request: Request) -> StreamResponse:
    changes = await _body(request)
    return _json(await _in_thread(lambda: _preferences().change(changes)))


async def _save_token(request: Request) -> StreamResponse:
    text = text_of(await _body(request), "token")
    return _json(await _in_thread(lambda: _preferences().save_token(text)))


async def _forget_token(_request: Request) -> StreamResponse:
    return _json(await _in_thread(lambda: _preferences().forget_token()))


async def _check_token(_request: Request) -> StreamResponse:
    return _json(await _in_thread(lambda: _preferences().check_token()))


async def _doctor(_request: Request) -> StreamResponse:
    def examined() -> dict[str, Any]:
        from ..doctor.checks import Installation, examine  # noqa: PLC0415 - only a user who asks needs it
        from ..doctor.report import report_of  # noqa: PLC0415 - as above

        pack = Path(__file__).resolve().parents[2]
        installation = Installation(
            os.environ, host.default_state_dir, host.default_output_dir, host.comfyui_version(), pack
        )
        report = report_of(examine(installation), os.environ)
        return {"text": report.text}

    return _json(await _in_thread(examined))


HANDLERS: Mapping[str, Handler] = {
    "nodes": _nodes,
    "price": _price,
    "answer_question": _answer_question,
    "models": _models,
    "what_would_run": _what_would_run,
    "picture": _picture,
    "jobs": _jobs,
    "job": _job,
    "clip": _clip,
    "delete_file": _delete_file,
    "thumbnail": _thumbnail,
    "inputs": _inputs,
    "spending": _spending,
    "balance_of_account": _balance_of_account,
    "act": _act,
    "settings": _settings,
    "change_settings": _change_settings,
    "save_token": _save_token,
    "forget_token": _forget_token,
    "check_token": _check_token,
    "doctor": _doctor,
}
