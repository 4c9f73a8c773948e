"""The routes on a real aiohttp server, the engine behind them, the emulator behind that."""

import asyncio
import threading

import pytest
from aiohttp import web
from contract.routes.page import WAIT_S, Page
from sora2pro.nodes.page import routes


@pytest.fixture(scope="session")
def server():
    """The routes on a free port, in a loop of their own."""
    loop = asyncio.new_event_loop()
    table = web.RouteTableDef()
    routes.add_to(table)
    app = web.Application(client_max_size=10**9)
    app.add_routes(table)
    runner = web.AppRunner(app)
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, "127.0.0.1", 0)
    loop.run_until_complete(site.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(WAIT_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(WAIT_S)
    loop.close()


@pytest.fixture
def state_dir(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def page(server, emulator, point_to):
    point_to(emulator)
    return Page(server, [])
