"""The client of the SysScore integration guide, taken from the guide itself and driven as it says.

Lines on stdin are orders, answers are JSON lines on stdout:

    queue N   queue N events as fast as possible; each carries a number that never repeats
    wait S    sleep S seconds, so that the second of the next key differs
    left      how many events the client still holds

The class is cut out of the guide at run time and not changed in any way. What the guide forgets,
the logger that `flush` uses, is attached as its reader would attach one.
"""

import json
import re
import sys
import time
import warnings
from pathlib import Path

# The guide uses `datetime.utcnow`, which newer Pythons complain about.
warnings.filterwarnings("ignore", category=DeprecationWarning)


def guide_class(path):
    """The first Python block of the guide that defines `PlatformClient`."""
    blocks = re.findall(r"```python\n(.*?)```", Path(path).read_text(encoding="utf-8"), re.DOTALL)
    code = next(block for block in blocks if "class PlatformClient" in block)
    names = {}
    exec(compile(code, path, "exec"), names)
    return names["PlatformClient"]


class Logger:
    """Takes what `flush` says, and counts it."""

    def __init__(self):
        self.sent = 0
        self.failures = []

    def info(self, _event, count):
        self.sent += count

    def error(self, _event, error):
        self.failures.append(error)


def main():
    guide, api_url, agent_id, secret = sys.argv[1:]
    client = guide_class(guide)(api_url, agent_id, secret)
    client.logger = Logger()
    number = 0
    for line in sys.stdin:
        order, *values = line.split()
        if order == "queue":
            for _ in range(int(values[0])):
                number += 1
                client.queue_event(
                    pid=4000 + number % 7,
                    syscall=("openat", "execve", "ptrace")[number % 3],
                    metadata={"risk_score": 12.5, "anomaly_score": 3, "number": number},
                )
        elif order == "wait":
            time.sleep(float(values[0]))
        elif order != "left":
            raise SystemExit(f"unknown order {order!r}")
        answer = {
            "queued": number,
            "sent": client.logger.sent,
            "failures": len(client.logger.failures),
            "last_failure": (client.logger.failures or [None])[-1],
            "left": len(client.event_buffer),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
