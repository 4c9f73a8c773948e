"""A journal over an encrypted connection: a server that cannot show who it is gets no password, and nothing is bought."""

import os

import pytest
from sora2pro.nodes.errors import NOTHING_SENT, JournalUnavailableError
from sora2pro.nodes.runcomfy.journal_url import resolve_journal_url
from sora2pro.nodes.runcomfy.store.journal import Journal
from sora2pro.nodes.runcomfy.store.postgres import PostgresDatabase
from support.certificates import DAY, authority, for_loopback
from support.engine_fixture import Rig
from support.postgres import NOBODY, PASSWORD, PASSWORD_IN_ADDRESS, PostgresServer

OURS, ANOTHER = authority("ours"), authority("another")


@pytest.fixture(scope="module")
def server(postgres_programs):
    """One that takes only encrypted connections."""
    with PostgresServer(postgres_programs) as server:
        show(server, for_loopback(OURS))
        (server.folder / "data" / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        server.kill()
        server.start()
        yield server


def show(server, certificate):
    """From now on, the server shows this one."""
    for name, content in (("server.crt", certificate.pem), ("server.key", certificate.key_pem)):
        path = server.folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        if os.getuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        server.ask(f"ALTER SYSTEM SET ssl_{'cert' if name.endswith('crt') else 'key'}_file = '{path}'")
    server.ask("ALTER SYSTEM SET ssl = on")
    server.ask("SELECT pg_reload_conf()")


@pytest.fixture
def address(server, tmp_path):
    """The address of the journal on a machine that believes an authority, as a user sets it."""
    url = server.new_database()

    def make(believed, *, host="127.0.0.1", **options):
        (tmp_path / "root.crt").write_bytes(believed)
        options = {"sslmode": "verify-full", "sslrootcert": tmp_path / "root.crt", **options}
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return resolve_journal_url({"RUNCOMFY_JOURNAL_URL": f"{url.replace('127.0.0.1', host)}?{query}"})

    return make


def refused(url):
    with pytest.raises(JournalUnavailableError) as raised:
        Journal("/nowhere", database=PostgresDatabase(url)).check_writable()
    text = str(raised.value)
    assert NOTHING_SENT in text
    assert PASSWORD not in text
    assert PASSWORD_IN_ADDRESS not in text
    return text


CERTIFICATE = "the encryption that was asked for, or its certificate, is refused"


def test_a_clip_is_bought_over_a_connection_whose_certificate_is_the_right_one(address, emulator, tmp_path, clip):
    rig = Rig(emulator.url, emulator.token, tmp_path, journal_url=address(OURS.pem))
    assert rig.run().path.read_bytes() == clip
    with rig.journal.database.reading() as connection:
        encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert connection.exec_driver_sql(encrypted).scalar_one()


def test_a_certificate_of_an_authority_that_is_not_known_here_is_refused_before_money(address, emulator, tmp_path):
    text = refused(address(ANOTHER.pem))
    assert CERTIFICATE in text
    assert "sslrootcert" in text
    rig = Rig(emulator.url, emulator.token, tmp_path, journal_url=address(ANOTHER.pem))
    with pytest.raises(JournalUnavailableError, match="its certificate, is refused"):
        rig.run()
    assert emulator.requests == []


def test_the_certificate_of_another_host_is_refused(address):
    assert CERTIFICATE in refused(address(OURS.pem, host="localhost"))


@pytest.mark.parametrize("content", [b"", b"this is not a certificate"])
def test_a_file_of_authorities_that_holds_none_is_refused(address, content):
    assert CERTIFICATE in refused(address(content))


def test_a_file_of_authorities_that_is_not_there_is_refused(address, tmp_path):
    assert CERTIFICATE in refused(address(OURS.pem, sslrootcert=tmp_path / "missing.crt"))


def test_authorities_of_the_system_do_not_know_a_certificate_that_a_studio_made_itself(address):
    assert CERTIFICATE in refused(address(OURS.pem, sslrootcert="system"))


@pytest.mark.parametrize(
    ("key", "mode"), [(OURS.key_pem, 0o644), (b"this is not a key", 0o600), (ANOTHER.key_pem, 0o600), (None, 0)]
)
def test_a_key_of_this_machine_that_libpq_does_not_take_is_refused(address, tmp_path, key, mode):
    (tmp_path / "client.crt").write_bytes(OURS.pem)
    if key is not None:
        (tmp_path / "client.key").write_bytes(key)
        (tmp_path / "client.key").chmod(mode)
    files = {"sslcert": tmp_path / "client.crt", "sslkey": tmp_path / "client.key"}
    assert CERTIFICATE in refused(address(OURS.pem, **files))


def test_a_server_that_wants_encryption_says_so_to_a_machine_that_does_not(address):
    assert "pg_hba.conf" in refused(address(OURS.pem, sslmode="disable"))


def test_a_certificate_that_has_run_out_is_refused_and_its_successor_taken(server, address):
    show(server, for_loopback(OURS, until=-DAY))
    try:
        assert CERTIFICATE in refused(address(OURS.pem))
    finally:
        show(server, for_loopback(OURS))
    Journal("/nowhere", database=PostgresDatabase(address(OURS.pem))).check_writable()
