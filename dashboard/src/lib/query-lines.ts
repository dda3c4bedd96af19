/** The lines of an answer to a query. */

import type { Cell } from "./csv";

export interface QueryColumn {
  name: string;
  /** `time`, `integer`, `float`, `text`, …; empty where SQL does not say. */
  type: string;
}

export interface QueryProgress {
  events_scanned: number;
  /** Those of which it was known without looking that they do not fit. */
  events_skipped: number;
  /** Parts of the store, those that were looked at and all. */
  files_done: number;
  files: number;
}

export interface QueryDone {
  rows: number;
  /** Whether there were more rows than were asked for. */
  truncated: boolean;
  elapsed_ms: number;
  cpu_ms: number;
  events_scanned: number;
  events_skipped: number;
}

/** Why a query gave no answer. */
export interface QueryFault {
  code: string;
  message: string;
  /** A way out. */
  hint: string | null;
}

export interface QueryLine {
  columns?: QueryColumn[];
  rows?: Cell[][];
  progress?: QueryProgress;
  done?: QueryDone;
  error?: QueryFault;
}

/** A line as what it says; of lines that say nothing we know, nothing. */
export function readLine(value: unknown): QueryLine {
  if (!isRecord(value)) return {};
  const line: QueryLine = {};
  const { columns, rows, progress, done, error } = value;
  if (Array.isArray(columns)) {
    line.columns = columns.filter(isRecord).map((column) => ({
      name: textOf(column["name"]),
      type: textOf(column["type"]).toLowerCase(),
    }));
  }
  if (Array.isArray(rows)) {
    line.rows = rows.filter((row) => Array.isArray(row)).map((row) => row.map(cellOf));
  }
  if (isRecord(progress)) {
    line.progress = {
      events_scanned: numberOf(progress["events_scanned"]),
      events_skipped: numberOf(progress["events_skipped"]),
      files_done: numberOf(progress["files_done"]),
      files: numberOf(progress["files"]),
    };
  }
  if (isRecord(done)) {
    line.done = {
      rows: numberOf(done["rows"]),
      truncated: done["truncated"] === true,
      elapsed_ms: numberOf(done["elapsed_ms"]),
      cpu_ms: numberOf(done["cpu_ms"]),
      events_scanned: numberOf(done["events_scanned"]),
      events_skipped: numberOf(done["events_skipped"]),
    };
  }
  if (isRecord(error)) {
    const hint = textOf(error["hint"]);
    line.error = {
      code: textOf(error["code"]),
      message: textOf(error["message"]),
      hint: hint === "" ? null : hint,
    };
  }
  return line;
}

/** The place in the query that a message begins with, `line:column:`, both from 1; null without. */
export function placeOf(message: string): { line: number; column: number } | null {
  const found = /^(\d{1,6}):(\d{1,6}): /.exec(message);
  return found === null ? null : { line: Number(found[1]), column: Number(found[2]) };
}

/** How a column is shown. */
export type ColumnShape = "time" | "number" | "text";

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
/** So many values are looked at where the type does not say. */
const LOOKED_AT = 50;

/** By its type; where that says nothing, as with what is computed, by its values. */
export function shapeOf(
  column: QueryColumn,
  at: number,
  rows: readonly (readonly Cell[])[],
): ColumnShape {
  if (/^(time|timestamp|moment|datetime)/.test(column.type)) return "time";
  if (/^(int|float|real|double|num)/.test(column.type)) return "number";
  const values: Cell[] = [];
  for (const row of rows) {
    const value = row[at] ?? null;
    if (value !== null) values.push(value);
    if (values.length >= LOOKED_AT) break;
  }
  if (values.length === 0) return "text";
  if (values.every((value) => typeof value === "number")) return "number";
  if (values.every((value) => typeof value === "string" && TIME.test(value))) return "time";
  return "text";
}

/** A moment to read and to compare: `2026-11-21 12:00:00.123` for RFC 3339 in UTC. */
export function readableTime(text: string): string {
  if (!TIME.test(text)) return text;
  const shown = text.slice(0, -1).replace("T", " ");
  // Zeros after the point say nothing, but columns stay in line: milliseconds, or all six.
  if (!shown.includes(".")) return shown;
  return shown.endsWith("000") && shown.length === 26 ? shown.slice(0, 23) : shown;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function cellOf(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  return JSON.stringify(value);
}
