"""What a user reads when the hub does not give a model, asked through the real client at a stand-in on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

ANSWERS = {
    "gated": (403, "GatedRepo"),
    "missing": (404, "RepoNotFound"),
    "disabled": (403, "DisabledRepo"),
    "unversioned": (404, "RevisionNotFound"),
}
SCRIPT = """
import json, sys
from privaudit.errors import TargetError
from privaudit.loading import ModelSource, load_target
messages = {}
for name in sys.argv[1:]:
    try:
        load_target(ModelSource(f"org/{name}", device="cpu", revision="v9"))
    except TargetError as error:
        messages[name] = str(error)
print(json.dumps(messages))
"""


class StandIn(BaseHTTPRequestHandler):
    """Refuses every repository as the hub does: a status and a code in a header."""

    def do_GET(self) -> None:
        name = self.path.split("/")[4].split("?")[0] if self.path.startswith("/api/models/") else "missing"
        status, code = ANSWERS.get(name, (404, "RepoNotFound"))
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        if name == "disabled":
            self.send_header("X-Error-Message", "Access to this resource is disabled.")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *arguments: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def asked(tmp_path, names: list[str], **environment: str) -> dict[str, str]:
    """The messages of a process of its own, since the client reads its settings once."""
    settings = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1", **environment}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names], env=settings, capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout)


def test_every_refusal_of_the_hub_is_one_line_that_says_what_to_do(tmp_path, endpoint) -> None:
    messages = asked(tmp_path, list(ANSWERS), HF_ENDPOINT=endpoint)
    assert set(messages) == set(ANSWERS)
    assert all(
        "\n" not in message and message.startswith("cannot load the model: org/") for message in messages.values()
    )
    assert "is a gated repository of the hub; accept its conditions there, and log in" in messages["gated"]
    assert "the hub has no such repository or does not show it; check the name" in messages["missing"]
    assert "has no revision v9 on the hub; pass a branch, a tag or a commit" in messages["unversioned"]
    assert "is disabled on the hub; pass another model" in messages["disabled"]


def test_without_a_network_the_cache_is_named(tmp_path) -> None:
    wanted = "org/model is not a folder and not in the cache of the hub, which cannot be reached; check the path"
    assert wanted in asked(tmp_path, ["model"], HF_HUB_OFFLINE="1")["model"]
    nobody = "http://127.0.0.1:9"  # a port on which no one listens
    assert wanted in asked(tmp_path, ["model"], HF_ENDPOINT=nobody)["model"]
