"""Loads the pack before any test module is imported, finds a ComfyUI for those that need one, and runs the browser's last."""

import os
from pathlib import Path

import pytest
from comfyui.install import InstallError, ensure_installed
from pack import load_pack

BROWSER = Path(__file__).resolve().parent / "browser"

load_pack()
from support.postgres import ClockedPostgres, PostgresServer, find_programs  # noqa: E402 - the pack is loaded by path, above


@pytest.fixture(scope="session")
def installation():
    """A ComfyUI that can be started."""
    try:
        return ensure_installed()
    except InstallError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no ComfyUI to be had: {error}")


@pytest.fixture(scope="session")
def postgres_programs():
    """PostgreSQL's programs, for a server of a test's own."""
    try:
        return find_programs()
    except FileNotFoundError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres(postgres_programs):
    """A PostgreSQL of this session's own."""
    with PostgresServer(postgres_programs) as server:
        yield server


@pytest.fixture(scope="session")
def emptied_postgres_url(postgres):
    """The address of the one database that every test of the store finds empty."""
    return postgres.new_database()


@pytest.fixture
def empty_postgres(emptied_postgres_url):
    """A journal's database without a job, on the clock of the test."""
    database = ClockedPostgres(emptied_postgres_url)
    with database.writing() as connection:
        connection.exec_driver_sql("TRUNCATE jobs RESTART IDENTITY")
    yield database
    database._engine.dispose()


def pytest_collection_modifyitems(items):
    # Playwright keeps an event loop running in this thread until the session ends, and no other can run beside it.
    items.sort(key=lambda item: BROWSER in item.path.parents)
