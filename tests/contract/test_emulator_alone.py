"""The emulator as a program: it says what to set, serves, and remembers its charges."""

import http.client
import json
import os
import shlex
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from emulator.visitor import submission

TESTS = Path(__file__).resolve().parent.parent
VARIABLES = 3  # address, token, interval
ENDED = 0 if os.name == "posix" else 1  # Windows has no SIGTERM that a program could answer


@contextmanager
def program(*arguments):
    command = [sys.executable, "-m", "emulator", *arguments]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True) as process:
        try:
            words = [shlex.split(process.stdout.readline()) for _ in range(VARIABLES)]
            assert all(word[0] == "export" for word in words)
            yield dict(word[1].split("=", 1) for word in words)
        finally:
            process.terminate()
    assert process.returncode == ENDED


def ask(environment, method, path, body=None):
    connection = http.client.HTTPConnection(urlsplit(environment["RUNCOMFY_MODEL_API_BASE_URL"]).netloc, timeout=10)
    token = environment["RUNCOMFY_API_TOKEN"]
    connection.request(method, path, json.dumps(body) if body else None, {"Authorization": f"Bearer {token}"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def test_a_restarted_program_knows_its_requests_and_charges(tmp_path):
    arguments = ("--state", str(tmp_path / "state.json"), "--queued", "0", "--rendering", "0")
    with program(*arguments) as environment:
        submitted = ask(environment, "POST", "/v1/models/openai/sora-2/pro/image-to-video", submission())
    with program(*arguments) as environment:
        assert ask(environment, "GET", "/prod/v2/balance")["balance_usd"] == 998.8
        status = ask(environment, "GET", f"/v1/requests/{submitted['request_id']}/status")
    assert status["status"] == "completed"
