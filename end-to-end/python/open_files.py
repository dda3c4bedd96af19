"""Asks DuckDB and pyarrow the same questions about a folder of Parquet files; prints JSON.

usage: open_files.py FOLDER

Each question is one text of SQL that DuckDB and Ringwall both take as it stands, and, where there
is one, a way by pyarrow that uses no SQL at all. Rows of an answer come in an order that the question
fixes. Moments are numbers: microseconds since 1970.
"""

import json
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

HOUR = 3_600_000_000


def main(folder):
    files = sorted(Path(folder).glob("*.parquet"))
    tables = [pq.read_table(file) for file in files]
    table = pa.concat_tables(tables)
    # The folder as a whole, as guides to pandas and Spark have it: nothing else in it may be taken for a file.
    assert ds.dataset(folder, format="parquet").count_rows() == table.num_rows
    connection = connect(folder)
    answers = []
    for name, sql, ask in questions(table):
        found = connection.execute(sql).fetchall()
        answers.append(
            {
                "name": name,
                "sql": sql,
                "duckdb": [list(row) for row in found],
                "pyarrow": None if ask is None else [list(row) for row in ask(table)],
            }
        )
    json.dump(
        {
            "versions": {"duckdb": duckdb.__version__, "pyarrow": pa.__version__},
            "files": len(files),
            "rows": table.num_rows,
            "columns": [{"name": field.name, "type": str(field.type)} for field in table.schema],
            "unsorted": [file.name for file, one in zip(files, tables) if not is_sorted(one)],
            "compressions": compressions(files),
            "questions": answers,
        },
        sys.stdout,
    )


def connect(folder):
    """DuckDB with the files as `events`, and our function of moments."""
    connection = duckdb.connect()
    # Nothing may be fetched from anywhere.
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("CREATE MACRO micros(moment) AS epoch_us(moment)")
    place = str(Path(folder) / "*.parquet").replace("'", "''")
    connection.execute(
        "CREATE VIEW events AS SELECT * REPLACE"
        " (lower(hex(metadata_batch_uid)) AS metadata_batch_uid)"
        f" FROM read_parquet('{place}')"
    )
    return connection


def is_sorted(table):
    times = micros(table, "time")
    return bool(pc.all(pc.less_equal(times[:-1], times[1:])).as_py()) if len(times) > 1 else True


def compressions(files):
    found = set()
    for file in files:
        metadata = pq.ParquetFile(file).metadata
        for group in range(metadata.num_row_groups):
            for column in range(metadata.num_columns):
                found.add(metadata.row_group(group).column(column).compression)
    return sorted(found)


def questions(table):
    """Name, SQL, and the same by pyarrow."""
    columns = table.column_names
    times = micros(table, "time")
    first, last = pc.min(times).as_py(), pc.max(times).as_py()
    # Whole seconds, as they are written.
    from_, until = (
        moment - moment % 1_000_000 for moment in [first + (last - first) // 4, first + (last - first) // 2]
    )
    return [
        ("all", "SELECT count(*) FROM events", lambda t: [[t.num_rows]]),
        (
            "values of each column",
            f"SELECT {', '.join(f'count({column})' for column in columns)} FROM events",
            lambda t: [[t.num_rows - t[column].null_count for column in columns]],
        ),
        (
            "kinds",
            "SELECT kind, count(*) FROM events GROUP BY kind ORDER BY kind",
            lambda t: sorted(counts(t, ["kind"])),
        ),
        (
            "severities of each host",
            "SELECT device_hostname, severity_id, count(*) FROM events"
            " GROUP BY device_hostname, severity_id ORDER BY device_hostname, severity_id",
            lambda t: sorted(counts(t, ["device_hostname", "severity_id"])),
        ),
        (
            "most frequent process names",
            "SELECT process_name, count(*) AS n FROM events WHERE process_name IS NOT NULL"
            " GROUP BY process_name ORDER BY n DESC, process_name LIMIT 20",
            lambda t: top(t, "process_name", 20),
        ),
        (
            "bounds of time",
            "SELECT micros(min(time)), micros(max(time)), micros(min(metadata_logged_time)),"
            " micros(max(metadata_logged_time)) FROM events",
            lambda t: [
                [
                    ask(micros(t, column)).as_py()
                    for column in ["time", "metadata_logged_time"]
                    for ask in [pc.min, pc.max]
                ]
            ],
        ),
        (
            "a range of time",
            f"SELECT count(*) FROM events WHERE time >= '{text(from_)}' AND time < '{text(until)}'",
            lambda t: [
                [
                    pc.sum(
                        pc.and_(
                            pc.greater_equal(micros(t, "time"), from_),
                            pc.less(micros(t, "time"), until),
                        )
                    ).as_py()
                ]
            ],
        ),
        (
            "events of each hour",
            f"SELECT micros(time) - micros(time) % {HOUR} AS hour, count(*) FROM events"
            " GROUP BY hour ORDER BY hour",
            lambda t: hours(t),
        ),
        *[
            (
                f"`{needle}` in {column}",
                f"SELECT count(*) FROM events WHERE instr({column}, '{needle}') > 0",
                lambda t, column=column, needle=needle: [
                    [pc.sum(pc.fill_null(pc.match_substring(t[column], needle), False)).as_py()]
                ],
            )
            for column, needle in [
                ("process_cmd_line", "sh"),
                ("process_cmd_line", " -"),
                ("process_cmd_line", "no such thing"),
                ("process_file_path", "/usr/"),
                ("http_request_url_path", "/api"),
                ("http_request_user_agent", "Mozilla"),
                ("device_hostname", "1"),
            ]
        ],
        (
            "a pattern",
            "SELECT count(*) FROM events WHERE process_name GLOB 's*'",
            lambda t: [[pc.sum(pc.starts_with(t["process_name"], "s")).as_py()]],
        ),
        (
            "sums",
            "SELECT sum(process_pid), sum(dst_endpoint_port), sum(http_response_length),"
            " sum(duration), sum(metadata_sequence), sum(length(process_cmd_line)) FROM events",
            lambda t: [
                [
                    pc.sum(t[column]).as_py()
                    for column in [
                        "process_pid",
                        "dst_endpoint_port",
                        "http_response_length",
                        "duration",
                        "metadata_sequence",
                    ]
                ]
                + [pc.sum(pc.utf8_length(t["process_cmd_line"])).as_py()]
            ],
        ),
        (
            "distinct values",
            "SELECT count(DISTINCT src_endpoint_ip), count(DISTINCT dst_endpoint_ip),"
            " count(DISTINCT device_hostname), count(DISTINCT user_name),"
            " count(DISTINCT process_file_sha256), count(DISTINCT metadata_batch_uid) FROM events",
            lambda t: [
                [
                    pc.count_distinct(t[column]).as_py()
                    for column in [
                        "src_endpoint_ip",
                        "dst_endpoint_ip",
                        "device_hostname",
                        "user_name",
                        "process_file_sha256",
                        "metadata_batch_uid",
                    ]
                ]
            ],
        ),
        (
            "answers of the web servers",
            "SELECT http_response_code, count(*), sum(http_response_length),"
            " max(duration) FROM events WHERE kind = 'http_request'"
            " AND http_response_code IS NOT NULL"
            " GROUP BY http_response_code ORDER BY http_response_code",
            lambda t: answers_of_web_servers(t),
        ),
        (
            "scores",
            "SELECT count(risk_score), min(risk_score), max(risk_score),"
            " count(anomaly_score), max(anomaly_score) FROM events",
            None,
        ),
        (
            "who asks the web and fails to sign in",
            "SELECT count(*) FROM events WHERE kind = 'http_request' AND src_endpoint_ip IN"
            " (SELECT src_endpoint_ip FROM events WHERE kind = 'sign_in' AND status_id = 2)",
            None,
        ),
        (
            "where sign-ins fail most",
            "SELECT src_endpoint_ip, count(*) AS n, count(DISTINCT user_name) FROM events"
            " WHERE kind = 'sign_in' AND status_id = 2 AND src_endpoint_ip IS NOT NULL"
            " GROUP BY src_endpoint_ip ORDER BY n DESC, src_endpoint_ip LIMIT 10",
            None,
        ),
        (
            "some whole rows",
            f"SELECT {', '.join(shown(field) for field in table.schema)} FROM events"
            " ORDER BY time, metadata_batch_uid, metadata_sequence LIMIT 200 OFFSET 4000",
            lambda t: whole_rows(t, 4000, 200),
        ),
    ]


def shown(field):
    return f"micros({field.name})" if pa.types.is_timestamp(field.type) else field.name


def text(moment):
    seconds = pa.scalar(moment, pa.timestamp("us"))
    return pc.strftime(seconds, "%Y-%m-%dT%H:%M:%SZ").as_py()


def micros(table, column):
    return table[column].cast(pa.int64()).combine_chunks()


def counts(table, columns):
    grouped = table.group_by(columns).aggregate([([], "count_all")])
    return [[row[column] for column in columns] + [row["count_all"]] for row in grouped.to_pylist()]


def top(table, column, limit):
    found = [row for row in counts(table, [column]) if row[0] is not None]
    return sorted(found, key=lambda row: (-row[1], row[0].encode()))[:limit]


def hours(table):
    times = micros(table, "time")
    starts = pc.multiply(pc.divide(times, HOUR), HOUR)
    return sorted(counts(pa.table({"hour": starts}), ["hour"]))


def answers_of_web_servers(table):
    chosen = pc.and_(pc.equal(table["kind"], "http_request"), pc.is_valid(table["http_response_code"]))
    grouped = (
        table.filter(chosen)
        .group_by("http_response_code")
        .aggregate([([], "count_all"), ("http_response_length", "sum"), ("duration", "max")])
    )
    return sorted(
        [
            row["http_response_code"],
            row["count_all"],
            row["http_response_length_sum"],
            row["duration_max"],
        ]
        for row in grouped.to_pylist()
    )


def whole_rows(table, offset, count):
    order = pc.sort_indices(
        # Binary values of fixed size cannot be sorted by; as text they sort alike.
        table.set_column(
            table.column_names.index("metadata_batch_uid"),
            "metadata_batch_uid",
            pa.chunked_array([hexadecimal(table["metadata_batch_uid"])]),
        ),
        sort_keys=[
            ("time", "ascending"),
            ("metadata_batch_uid", "ascending"),
            ("metadata_sequence", "ascending"),
        ],
    )
    chosen = table.take(order[offset : offset + count])
    columns = []
    for field in chosen.schema:
        values = chosen[field.name]
        if pa.types.is_timestamp(field.type):
            columns.append(values.cast(pa.int64()).to_pylist())
        elif pa.types.is_fixed_size_binary(field.type):
            columns.append(hexadecimal(values).to_pylist())
        else:
            columns.append(values.to_pylist())
    return zip(*columns)


def hexadecimal(values):
    return pa.array([None if value is None else value.hex() for value in values.to_pylist()])


if __name__ == "__main__":
    main(sys.argv[1])
