"""A FastAPI application behind the original guard middleware, told by one JSON argument.

`middleware` is the middleware's configuration, `agent` (or nothing) that of its agent. Prints the port
that it listens on as its first line.
"""

import asyncio
import json
import socket
import sys

import uvicorn
from fastapi import FastAPI, Request
from guard import SecurityConfig, SecurityMiddleware


def application(told):
    config = dict(told["middleware"])
    agent = told.get("agent")
    if agent:
        config.update(
            enable_agent=True,
            agent_api_key=agent["api_key"],
            agent_endpoint=agent["endpoint"],
            agent_project_id=agent["project_id"],
            agent_flush_interval=1,
        )
        config.update(agent.get("options", {}))

    app = FastAPI()

    @app.get("/")
    async def home():
        return {"page": "home"}

    @app.get("/search")
    async def search(q: str = ""):
        return {"found": len(q)}

    @app.post("/order")
    async def order(request: Request):
        return {"bytes": len(await request.body())}

    app.add_middleware(SecurityMiddleware, config=SecurityConfig(**config))
    return app


async def main():
    told = json.loads(sys.argv[1])
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    # From here on whoever connects is answered, if later.
    listener.listen(128)
    server = uvicorn.Server(
        uvicorn.Config(application(told), log_level="warning", proxy_headers=False)
    )
    print(listener.getsockname()[1], flush=True)
    await server.serve(sockets=[listener])


asyncio.run(main())
