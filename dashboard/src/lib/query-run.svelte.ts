/** One query after another: what came of the last one, while it comes. */

import { api, ApiError, type QueryLimits } from "./api";
import type { Cell } from "./csv";
import { NdjsonError } from "./ndjson";
import {
  type QueryColumn,
  type QueryDone,
  type QueryFault,
  type QueryProgress,
  readLine,
} from "./query-lines";

export type QueryState = "idle" | "running" | "done" | "failed" | "cancelled";
export type QueryRow = readonly Cell[];

/** Rows come in many lines: the page is told of them so often. */
const SHOWN_EVERY_MS = 150;

export class QueryRun {
  state = $state<QueryState>("idle");
  /** What was asked, and for how many rows. */
  sql = $state("");
  rowLimit = $state(0);
  columns = $state.raw<QueryColumn[] | null>(null);
  rows = $state.raw<QueryRow[]>([]);
  progress = $state.raw<QueryProgress | null>(null);
  done = $state.raw<QueryDone | null>(null);
  fault = $state.raw<QueryFault | null>(null);
  /** When it was started, in milliseconds since 1970. */
  startedAt = $state(0);
  /** How long it took, seen from here; null while it runs. */
  elapsedMs = $state<number | null>(null);
  #running: AbortController | null = null;

  get isRunning(): boolean {
    return this.state === "running";
  }

  /** Runs `sql` in place of whatever runs now. */
  async run(sql: string, limits: QueryLimits): Promise<void> {
    this.cancel();
    const running = new AbortController();
    this.#running = running;
    this.state = "running";
    this.sql = sql;
    this.rowLimit = limits.row_limit;
    this.columns = null;
    this.rows = [];
    this.progress = null;
    this.done = null;
    this.fault = null;
    this.startedAt = Date.now();
    this.elapsedMs = null;
    const began = performance.now();
    const rows: QueryRow[] = [];
    let shownAt = began;
    try {
      for await (const value of await api.query(sql, limits, running.signal)) {
        if (this.#running !== running) return;
        const line = readLine(value);
        if (line.columns !== undefined) this.columns = line.columns;
        if (line.progress !== undefined) this.progress = line.progress;
        if (line.done !== undefined) this.done = line.done;
        if (line.error !== undefined) this.fault = line.error;
        for (const row of line.rows ?? []) rows.push(row);
        if (line.rows !== undefined && performance.now() - shownAt > SHOWN_EVERY_MS) {
          shownAt = performance.now();
          this.rows = [...rows];
        }
      }
      if (this.done === null && this.fault === null) {
        this.fault = {
          code: "cut_off",
          message: "the answer ended before the query did",
          hint: "the server may be restarting; run it again",
        };
      }
    } catch (cause) {
      if (this.#running !== running || running.signal.aborted) return;
      this.fault = faultOf(cause);
    } finally {
      if (this.#running === running) {
        this.#running = null;
        this.rows = rows;
        this.elapsedMs = performance.now() - began;
        this.state = this.fault === null ? "done" : "failed";
      }
    }
  }

  /** Ends what runs; the server hears of it, because nobody listens any more. */
  cancel(): void {
    if (this.#running === null) return;
    const running = this.#running;
    this.#running = null;
    this.state = "cancelled";
    this.elapsedMs = Date.now() - this.startedAt;
    running.abort();
  }
}

/** Queries that are refused before they run have a status instead of a code. */
const CODES = new Map([
  [400, "invalid_query"],
  [403, "denied"],
  [429, "busy"],
]);

function faultOf(cause: unknown): QueryFault {
  if (cause instanceof ApiError) {
    const wait = cause.retryAfterSeconds;
    return {
      code: CODES.get(cause.status) ?? "no_answer",
      message: cause.detail === "" ? cause.title : cause.detail,
      hint: cause.hint ?? (wait === null ? null : `try again in ${wait} seconds`),
    };
  }
  if (cause instanceof NdjsonError) {
    return { code: "unreadable", message: cause.message, hint: null };
  }
  return { code: "cut_off", message: "the connection to the server broke", hint: "run it again" };
}
