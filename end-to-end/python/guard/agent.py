"""An original guard agent that does what it is told, a line of JSON at a time.

Reads orders from standard input and answers each with one line: `start`, `types`, `events`, `metrics`,
`flush`, `status`, `rules`, `stats`, `stop`. The agent is whichever `guard_agent` is on the path.
"""

import asyncio
import dataclasses
import json
import sys
import typing
from datetime import datetime, timezone

import guard_agent


def plain(value):
    """What JSON can hold of a model, of its parts, or of anything else."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    if dataclasses.is_dataclass(value):
        return plain(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(one) for one in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


class Driver:
    def __init__(self):
        self.agent = None

    async def start(self, config):
        self.agent = guard_agent.guard_agent(guard_agent.AgentConfig(**config))
        await self.agent.start()

    async def types(self):
        # Older models take none but these; to newer ones any text is right.
        kind = guard_agent.SecurityEvent.model_fields["event_type"].annotation
        return list(typing.get_args(kind)) or None

    async def events(self, events):
        for event in events:
            event = {"timestamp": datetime.now(timezone.utc), **event}
            if event["reason"] == "SURROGATE":
                event["reason"] = "not text: \udc80"
            await self.agent.send_event(guard_agent.SecurityEvent(**event))

    async def metrics(self, metrics):
        for metric in metrics:
            metric = {"timestamp": datetime.now(timezone.utc), **metric}
            if metric["value"] == "nan":
                metric["value"] = float("nan")
            await self.agent.send_metric(guard_agent.SecurityMetric(**metric))

    async def flush(self):
        await self.agent.flush_buffer()
        return await self.stats()

    async def status(self):
        return bool(await self.agent.transport.send_status(await self.agent.get_status()))

    async def rules(self):
        # Without the cache: what the server says now.
        return plain(await self.agent.transport.fetch_dynamic_rules())

    async def stats(self):
        return plain(self.agent.get_stats())

    async def stop(self):
        await self.agent.stop()


async def main():
    driver = Driver()
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            return
        order = json.loads(line)
        try:
            answer = await getattr(driver, order.pop("do"))(**order)
            print(json.dumps({"ok": plain(answer)}), flush=True)
        except Exception as error:  # the test decides what it means
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)


asyncio.run(main())
