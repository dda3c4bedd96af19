"""Asks DuckDB one question about a folder of Parquet files; prints JSON.

usage: duckdb_peer.py FOLDER SQL
"""

import json
import sys
import time
from pathlib import Path

import duckdb

folder, sql = sys.argv[1:]
connection = duckdb.connect()
connection.execute("SET autoinstall_known_extensions = false")
place = str(Path(folder) / "*.parquet").replace("'", "''")
connection.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet('{place}')")
cpu, wall = time.process_time(), time.monotonic()
found = connection.execute(sql)
names = [column[0] for column in found.description]
rows = [dict(zip(names, row)) for row in found.fetchall()]
json.dump(
    {
        "version": duckdb.__version__,
        "threads": connection.execute("SELECT current_setting('threads')").fetchone()[0],
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.monotonic() - wall,
        "rows": rows,
    },
    sys.stdout,
)
