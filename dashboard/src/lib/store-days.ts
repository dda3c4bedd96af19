/** What the store holds, day by day in UTC. */

import type { StoreDay } from "./api-types";
import { DAY_MS } from "./timeline";

export interface Days {
  /** The first day, in milliseconds since 1970. */
  since: number;
  events: number[];
  bytes: number[];
}

/** Longer than this is no chart by day. */
const DAYS_MAX = 400;
/** Fewer days make bars as wide as the page. */
const DAYS_MIN = 14;

/** The days in their order, those without events too, up to today; at least two weeks of them. */
export function daysUpTo(days: readonly StoreDay[], now: number): Days {
  const today = Math.floor(now / DAY_MS);
  const known = days
    .map((one) => ({ ...one, number: Math.floor(Date.parse(one.day) / DAY_MS) }))
    .filter((one) => Number.isFinite(one.number));
  // A clock that was wrong once may have left a day to come.
  const last = Math.max(today, ...known.map((one) => one.number));
  const first = Math.max(
    last - DAYS_MAX + 1,
    Math.min(last - DAYS_MIN + 1, ...known.map((one) => one.number)),
  );
  const length = last - first + 1;
  const events = new Array<number>(length).fill(0);
  const bytes = new Array<number>(length).fill(0);
  for (const one of known) {
    const at = one.number - first;
    if (at < 0) continue;
    events[at] = (events[at] ?? 0) + one.events;
    bytes[at] = (bytes[at] ?? 0) + one.bytes;
  }
  return { since: first * DAY_MS, events, bytes };
}

/** The binary unit that marks up to `most` bytes are best multiples of. */
export function unitFor(most: number): number {
  let unit = 1;
  while (most / unit >= 1024 && unit < 1024 ** 5) unit *= 1024;
  return unit;
}
