"""CPU time a request of the original middleware takes, called in the process as an ASGI application.

The same two requests as `./x bench guard` sends to the layer, with the same checks on. Prints one line for
each: its name, then the microseconds of CPU a request of the bare application and of the guarded one.
"""

import asyncio
import json
import logging
import statistics
import sys
import time

import fastapi
import guard

ROUNDS = 3


def bare_application():
    app = fastapi.FastAPI()

    @app.get("/items")
    async def items():
        return {"ok": True}

    @app.post("/items")
    async def create(request: fastapi.Request):
        await request.body()
        return {"ok": True}

    return app


def guarded_application():
    app = bare_application()
    app.add_middleware(
        guard.SecurityMiddleware,
        config=guard.SecurityConfig(
            enable_redis=False,
            enforce_https=False,
            rate_limit=1_000_000_000,
            rate_limit_window=60,
            blacklist=["198.51.100.0/24"],
            blocked_user_agents=["badbot", "sqlmap"],
            enable_penetration_detection=True,
        ),
    )
    return app


def scope(request):
    path, _, query = request["target"].partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request["method"],
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in request["headers"]],
        "client": ("203.0.113.9", 40000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


async def ask(app, request):
    body = request["body"].encode()
    statuses = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope(request), receive, send)
    if statuses != [200]:
        raise SystemExit(f"{request['name']}: answered {statuses}")


async def microseconds(app, request, seconds):
    for _ in range(3):
        await ask(app, request)
    figures = []
    for _ in range(ROUNDS):
        count, begun, cpu = 0, time.monotonic(), time.process_time()
        while time.monotonic() - begun < seconds:
            await ask(app, request)
            count += 1
        figures.append((time.process_time() - cpu) / count * 1e6)
    return statistics.median(figures)


async def main():
    logging.disable(logging.CRITICAL)
    requests = json.load(sys.stdin)
    bare, guarded = bare_application(), guarded_application()
    for request in requests:
        without = await microseconds(bare, request, 0.5)
        with_guard = await microseconds(guarded, request, 2.0)
        print(f"{request['name']}\t{without:.1f}\t{with_guard:.1f}", flush=True)


asyncio.run(main())
