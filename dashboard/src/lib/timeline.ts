/** Time cut into equal buckets: how wide, where, and what a selection of them means. */

/** From `since` up to, not including, `until`, in milliseconds since 1970. */
export interface Span {
  since: number;
  until: number;
}

export const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** Widths of buckets that people think in. Whole minutes: that is how fine the counts are. */
const STEPS_MS = [
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 7, 14, 28].map((days) => days * DAY_MS),
];

/** The narrowest step that cuts `span` into at most `bucketsMax` buckets, in milliseconds. */
export function stepFor(span: Span, bucketsMax: number): number {
  const length = Math.max(1, span.until - span.since);
  // A span that begins inside a bucket touches one more.
  const fits = STEPS_MS.find((step) => Math.ceil(length / step) + 1 <= bucketsMax);
  if (fits !== undefined) return fits;
  const widest = 28 * DAY_MS;
  return Math.ceil(length / bucketsMax / widest) * widest;
}

/** `span`, widened to whole buckets. */
export function aligned(span: Span, step: number): Span {
  const since = Math.floor(span.since / step) * step;
  return { since, until: Math.max(since + step, Math.ceil(span.until / step) * step) };
}

/** `span`, widened about its middle to at least `least`, and no further than `now`. */
export function widened(span: Span, least: number, now: number): Span {
  const missing = least - (span.until - span.since);
  if (missing <= 0) return span;
  const until = Math.max(span.until, Math.min(span.until + missing / 2, now));
  return { since: until - least, until };
}

/** Twice what is outside `span` on each side as inside, and no further than `now`. */
export function zoomedOut(span: Span, now: number): Span {
  const length = span.until - span.since;
  const until = Math.max(span.until, Math.min(span.until + length, now));
  return { since: until - 3 * length, until };
}

/** The bucket that lies `x` from the left in a chart so wide; always one there is. */
export function bucketAt(x: number, width: number, buckets: number): number {
  if (width <= 0 || buckets <= 0) return 0;
  return Math.max(0, Math.min(buckets - 1, Math.floor((x / width) * buckets)));
}

/** Some buckets beside each other. */
export interface Range {
  first: number;
  /** Included. */
  last: number;
}

/** From `anchor` to `focus`, whichever comes first. */
export function rangeOf(anchor: number, focus: number): Range {
  return { first: Math.min(anchor, focus), last: Math.max(anchor, focus) };
}

/** The time that a range of buckets covers. */
export function spanOf(range: Range, since: number, step: number): Span {
  return { since: since + range.first * step, until: since + (range.last + 1) * step };
}

/** The buckets that `span` touches; null where it touches none. */
export function rangeWithin(
  span: Span,
  since: number,
  step: number,
  buckets: number,
): Range | null {
  const first = Math.max(0, Math.floor((span.since - since) / step));
  const last = Math.min(buckets - 1, Math.ceil((span.until - since) / step) - 1);
  return first <= last ? { first, last } : null;
}

/** Marks of an axis: steps that fall on round times where the reader is. */
const TICKS_MS = [
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 7, 14, 30, 60, 90, 180, 360].map((days) => days * DAY_MS),
];

/**
 * At most about `most` round times within `span`, so many minutes east of UTC (`zoneMinutes`), and the
 * step between them.
 */
export function ticks(
  span: Span,
  most: number,
  zoneMinutes: (at: number) => number,
): { at: number[]; step: number } {
  const length = span.until - span.since;
  const step = TICKS_MS.find((one) => length / one <= most) ?? 360 * DAY_MS;
  const at: number[] = [];
  const zone = zoneMinutes(span.since) * MINUTE_MS;
  for (
    let tick = Math.ceil((span.since + zone) / step) * step - zone;
    tick < span.until;
    tick += step
  ) {
    // After the clocks were changed, round times are elsewhere.
    const moved = zoneMinutes(tick) * MINUTE_MS - zone;
    const shifted = step > HOUR_MS ? tick - moved : tick;
    if (shifted >= span.since && shifted < span.until) at.push(shifted);
  }
  return { at, step };
}

/** How many minutes the reader's clock is ahead of UTC at this moment. */
export function readersZone(at: number): number {
  return -new Date(at).getTimezoneOffset();
}
