/** Which events the address asks for. */

import { MINUTE_MS, type Span } from "./timeline";

export interface EventFilter {
  host: string;
  kind: string;
  pid: string;
  /** Words in any of their texts. */
  contains: string;
  /** The key of one of `SPANS`; empty where there is none, or where there are bounds. */
  span: string;
  /** RFC 3339, or as the reader's clock shows it; empty where it is open. */
  since: string;
  until: string;
}

/** The times that can be chosen, by what the address says. */
export const SPANS = [
  ["", "Any time"],
  ["15m", "Last 15 minutes"],
  ["1h", "Last hour"],
  ["24h", "Last 24 hours"],
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
  ["between", "Between…"],
] as const;

const SPAN_MS = new Map<string, number>([
  ["15m", 15 * MINUTE_MS],
  ["1h", 60 * MINUTE_MS],
  ["24h", 1440 * MINUTE_MS],
  ["7d", 7 * 1440 * MINUTE_MS],
  ["30d", 30 * 1440 * MINUTE_MS],
]);

/** What the query of an address asks for. */
export function eventFilter(query: URLSearchParams): EventFilter {
  const read = (name: string) => query.get(name) ?? "";
  const since = read("since");
  const until = read("until");
  return {
    host: read("host"),
    kind: read("kind"),
    pid: read("pid"),
    contains: read("contains"),
    span: since !== "" || until !== "" ? "between" : read("span"),
    since,
    until,
  };
}

export function isNarrowed(filter: EventFilter): boolean {
  return Object.values(filter).some((value) => value !== "");
}

/** The bounds in milliseconds since 1970; null where one is open or is no time. */
export function boundsOf(
  filter: EventFilter,
  now: number,
): { since: number | null; until: number | null } {
  const length = SPAN_MS.get(filter.span);
  if (length !== undefined) return { since: now - length, until: null };
  return { since: momentOf(filter.since), until: momentOf(filter.until) };
}

/** The question for the list of events. */
export function listQuery(filter: EventFilter, now: number): Record<string, string> {
  const { since, until } = boundsOf(filter, now);
  return {
    host: filter.host,
    kind: filter.kind,
    pid: filter.pid,
    contains: filter.contains,
    since: since === null ? "" : isoOf(since),
    until: until === null ? "" : isoOf(until),
  };
}

/** What the address says of a selected span. */
export function spanQuery(span: Span): Record<string, string | null> {
  return { since: isoOf(span.since), until: isoOf(span.until), span: null };
}

/** RFC 3339 in UTC, without what is zero anyway. */
export function isoOf(at: number): string {
  return new Date(at).toISOString().replace(".000Z", "Z");
}

/** A moment as `datetime-local` fields want it: the reader's clock, to the minute or second. */
export function localOf(moment: string): string {
  const at = momentOf(moment);
  if (at === null) return "";
  const shown = new Date(at - new Date(at).getTimezoneOffset() * MINUTE_MS).toISOString();
  return at % MINUTE_MS === 0 ? shown.slice(0, 16) : shown.slice(0, 19);
}

/** A text as a moment: RFC 3339, or without a zone as the reader's clock shows it. */
export function momentOf(text: string): number | null {
  const at = text === "" ? Number.NaN : new Date(text).getTime();
  return Number.isNaN(at) ? null : at;
}
