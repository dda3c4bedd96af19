"""A Watcher agent after its wire contract: psutil telemetry, polled commands, a kill by two signals.

    watcher_agent.py URL collect            send one telemetry payload, print the answer
    watcher_agent.py URL poll               print the waiting commands, do nothing
    watcher_agent.py URL execute            poll once, carry out what comes, print it
    watcher_agent.py URL run COLLECT POLL   as the original: telemetry and polls at these intervals

It differs from the original in one thing, so that a test cannot hurt its machine: it kills only
processes whose program file lies in the folder named by RINGWALL_TEST_FOLDER.
"""

import json
import os
import platform
import sys
import time
from datetime import datetime

import psutil
import requests

TIMEOUT = 10
HOSTNAME = os.environ.get("RINGWALL_TEST_HOSTNAME") or platform.node()


def telemetry():
    processes = []
    for process in psutil.process_iter():
        try:
            with process.oneshot():
                processes.append(
                    {
                        "pid": process.pid,
                        "name": process.name() or "unknown",
                        "command_line": " ".join(process.cmdline()) or None,
                        "user": process.username(),
                        "cpu_percent": process.cpu_percent(),
                        "memory_percent": process.memory_percent(),
                    }
                )
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    connections = []
    try:
        for connection in psutil.net_connections(kind="inet"):
            if connection.status != psutil.CONN_ESTABLISHED:
                continue
            connections.append(
                {
                    "local_address": connection.laddr.ip,
                    "local_port": connection.laddr.port,
                    "remote_address": connection.raddr.ip if connection.raddr else None,
                    "remote_port": connection.raddr.port if connection.raddr else None,
                    "status": connection.status,
                    "pid": connection.pid,
                }
            )
    except psutil.AccessDenied:
        connections = []
    memory = psutil.virtual_memory()
    return {
        "hostname": HOSTNAME,
        "timestamp": datetime.now().isoformat(),
        "processes": processes,
        "connections": connections,
        "system_info": {
            "cpu_count": psutil.cpu_count(),
            "memory_total": memory.total,
            "memory_available": memory.available,
            "boot_time": psutil.boot_time(),
            "platform": platform.system(),
        },
    }


def collect(url):
    answer = requests.post(f"{url}/api/v1/collect", json=telemetry(), timeout=TIMEOUT)
    answer.raise_for_status()
    return answer.json()


def poll(url):
    answer = requests.get(
        f"{url}/api/v1/commands", params={"host": HOSTNAME}, timeout=TIMEOUT
    )
    answer.raise_for_status()
    return answer.json()


def kill(command):
    """SIGTERM, two seconds whatever happens, SIGKILL if the pid still exists."""
    try:
        pid = int(command.get("target"))
    except (TypeError, ValueError):
        return False
    try:
        process = psutil.Process(pid)
        program = process.exe()
    except psutil.NoSuchProcess:
        return False
    folder = os.environ.get("RINGWALL_TEST_FOLDER")
    if not folder or not program.startswith(os.path.join(folder, "")):
        print(f"spared {pid}: {program} is not the test's", file=sys.stderr)
        return False
    try:
        process.terminate()
        time.sleep(2)
        if psutil.pid_exists(pid):
            process.kill()
        return True
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def execute(url):
    commands = poll(url)
    for command in commands:
        if command.get("action") == "kill_process":
            command["done"] = kill(command)
    return commands


def run(url, collect_seconds, poll_seconds):
    """One telemetry at once, the first poll after its interval; one thread for all of it."""
    next_collect = time.monotonic()
    next_poll = next_collect + poll_seconds
    while True:
        for due, work in (("collect", collect), ("poll", execute)):
            if time.monotonic() < (next_collect if due == "collect" else next_poll):
                continue
            try:
                print(json.dumps({due: work(url)}), flush=True)
            except requests.RequestException as error:
                print(json.dumps({due: None, "error": str(error)}), flush=True)
            if due == "collect":
                next_collect = time.monotonic() + collect_seconds
            else:
                next_poll = time.monotonic() + poll_seconds
        time.sleep(min(1, collect_seconds, poll_seconds))


def main():
    url, action, *values = sys.argv[1:]
    if action == "run":
        run(url, float(values[0]), float(values[1]))
    else:
        work = {"collect": collect, "poll": poll, "execute": execute}[action]
        print(json.dumps(work(url)))


if __name__ == "__main__":
    main()
