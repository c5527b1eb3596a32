"""Nothing that was to be told is lost when the server is killed, again and again, and the endpoint is away for a while."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from yersin.app.ground import opened
from yersin.guard.tokens import Tokens
from yersin.settings import Settings

KILLS, EACH = 3, 8
PATIENCE = 120.0


def test_nothing_is_lost_over_kills(run, serve, fresh_url, keys_dir):
    told = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            time.sleep(0.03)  # so that some calls are cut off in the middle
            told.append(self.path.rpartition("/")[2])
            self.send_response(200)
            self.send_header("content-length", "0")
            with suppress(OSError):
                self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    async def token():
        async with opened(Settings(data_dir=keys_dir), fresh_url, connections=2) as ground:
            return Tokens(ground.keys).make("system/*.cruds", 3600, name="hooks")

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    server = serve(fresh_url, YERSIN_HOOK_NETWORKS="127.0.0.1/32")
    headers = {"authorization": f"Bearer {run(token())}", "content-type": "application/fhir+json"}
    with httpx.Client(base_url=f"{server.base_url}/fhir", headers=headers, timeout=30) as http:
        channel = {"type": "rest-hook", "endpoint": f"http://127.0.0.1:{listener.server_port}/hook"}
        channel["payload"] = "application/fhir+json"
        body = {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "test",
            "criteria": "Patient?active=true",
        }
        made = http.post("/Subscription", json={**body, "channel": channel}).json()
        until(lambda: http.get(f"/Subscription/{made['id']}").json()["status"] == "active")
        wanted = set()
        for _ in range(KILLS):
            for _ in range(EACH):
                answer = http.post("/Patient", json={"resourceType": "Patient", "active": True})
                assert answer.status_code == 201
                wanted.add(answer.json()["id"])
            heard = len(told)
            until(lambda: len(told) > heard)  # noqa: B023 - called before the next round
            server.kill()
            server.restart()
        until(lambda: wanted <= set(told))
    listener.shutdown()
    listener.server_close()
    server.close()


def until(met):
    """Wait for something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(httpx.TransportError):
            if met():
                return
        time.sleep(0.02)
    raise AssertionError("it did not come")
