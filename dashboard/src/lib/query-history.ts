/** The last queries of a user, in this browser. */

export interface PastQuery {
  sql: string;
  /** When it was run last, in milliseconds since 1970. */
  at: number;
  /** How many rows it gave; null where it failed or was cancelled. */
  rows: number | null;
  elapsed_ms: number | null;
}

/** How many are kept. */
export const HISTORY_MAX = 20;
/** A longer text is run, but not kept: storage is small. */
const SQL_CHARACTERS_MAX = 20_000;

/** The history after `query`: on top, without its older selves. */
export function withQuery(history: readonly PastQuery[], query: PastQuery): PastQuery[] {
  const sql = query.sql.trim();
  if (sql === "" || sql.length > SQL_CHARACTERS_MAX) return [...history];
  const others = history.filter((one) => one.sql !== sql);
  return [{ ...query, sql }, ...others].slice(0, HISTORY_MAX);
}

/** What `text` from storage says; what is no query is left out. */
export function parseHistory(text: string | null): PastQuery[] {
  let found: unknown;
  try {
    found = JSON.parse(text ?? "[]");
  } catch {
    return [];
  }
  if (!Array.isArray(found)) return [];
  return found.filter(isPastQuery).slice(0, HISTORY_MAX);
}

function isPastQuery(value: unknown): value is PastQuery {
  if (typeof value !== "object" || value === null) return false;
  const { sql, at, rows, elapsed_ms } = value as Record<string, unknown>;
  const isCount = (one: unknown) => one === null || typeof one === "number";
  return typeof sql === "string" && typeof at === "number" && isCount(rows) && isCount(elapsed_ms);
}

const key = (user: string) => `ringwall.queries.${user}`;

/** The history of `user`; empty where storage is off. */
export function readHistory(user: string): PastQuery[] {
  try {
    return parseHistory(localStorage.getItem(key(user)));
  } catch {
    return [];
  }
}

/** Keeps the history of `user`; an empty one leaves nothing behind. */
export function keepHistory(user: string, history: readonly PastQuery[]): void {
  try {
    if (history.length === 0) localStorage.removeItem(key(user));
    else localStorage.setItem(key(user), JSON.stringify(history));
  } catch {
    // Storage is off or full: the history lasts as long as the page.
  }
}
