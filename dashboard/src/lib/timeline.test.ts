import { describe, expect, it } from "vitest";
import {
  DAY_MS,
  MINUTE_MS,
  aligned,
  bucketAt,
  rangeOf,
  rangeWithin,
  spanOf,
  stepFor,
  ticks,
  widened,
  zoomedOut,
} from "./timeline";

const at = (text: string) => Date.parse(`2026-11-${text}Z`);
const span = (since: string, until: string) => ({ since: at(since), until: at(until) });
const show = (one: { since: number; until: number }) =>
  [one.since, one.until].map((time) => new Date(time).toISOString().slice(8, 16)).join(" to ");

describe("the step", () => {
  const check = (since: string, until: string, bucketsMax: number, minutes: number) =>
    it(`of ${since} to ${until} in ${bucketsMax}`, () =>
      expect(stepFor(span(since, until), bucketsMax) / MINUTE_MS).toBe(minutes));

  check("21T12:00", "21T13:00", 120, 1);
  check("21T12:00", "21T14:00", 120, 2);
  check("20T12:00", "21T12:00", 120, 15);
  check("14T12:00", "21T12:00", 120, 120);
  check("21T12:00", "21T12:00", 120, 1);
  it("of many years is whole months", () =>
    expect(stepFor({ since: 0, until: 56 * 365 * DAY_MS }, 120) % (28 * DAY_MS)).toBe(0));
});

describe("spans", () => {
  it("are aligned to whole buckets", () =>
    expect(show(aligned(span("21T12:03", "21T12:06"), 5 * MINUTE_MS))).toBe("21T12:00 to 21T12:10"));
  it("that are aligned stay", () =>
    expect(show(aligned(span("21T12:00", "21T12:10"), 5 * MINUTE_MS))).toBe("21T12:00 to 21T12:10"));
  it("of nothing have a bucket", () =>
    expect(show(aligned(span("21T12:00", "21T12:00"), 5 * MINUTE_MS))).toBe("21T12:00 to 21T12:05"));
  it("are widened about their middle", () =>
    expect(show(widened(span("21T12:00", "21T12:02"), 20 * MINUTE_MS, at("22T00:00")))).toBe(
      "21T11:51 to 21T12:11",
    ));
  it("are not widened into the future", () =>
    expect(show(widened(span("21T12:00", "21T12:02"), 20 * MINUTE_MS, at("21T12:04")))).toBe(
      "21T11:44 to 21T12:04",
    ));
  it("that are wide enough stay", () =>
    expect(show(widened(span("21T12:00", "21T13:00"), 20 * MINUTE_MS, at("21T12:04")))).toBe(
      "21T12:00 to 21T13:00",
    ));
  it("are zoomed out of", () =>
    expect(show(zoomedOut(span("21T12:00", "21T13:00"), at("22T00:00")))).toBe("21T11:00 to 21T14:00"));
  it("are zoomed out of up to now", () =>
    expect(show(zoomedOut(span("21T12:00", "21T13:00"), at("21T13:00")))).toBe("21T10:00 to 21T13:00"));
});

describe("selections", () => {
  const bucket = (x: number, expected: number) =>
    it(`at ${x} of 100`, () => expect(bucketAt(x, 100, 10)).toBe(expected));
  bucket(-5, 0);
  bucket(0, 0);
  bucket(9.9, 0);
  bucket(10, 1);
  bucket(99.9, 9);
  bucket(100, 9);
  bucket(500, 9);
  it("without width are the first", () => expect(bucketAt(5, 0, 10)).toBe(0));

  it("go either way", () => {
    expect(rangeOf(3, 7)).toEqual({ first: 3, last: 7 });
    expect(rangeOf(7, 3)).toEqual({ first: 3, last: 7 });
  });
  it("are times, the last bucket included", () =>
    expect(show(spanOf({ first: 1, last: 2 }, at("21T12:00"), 5 * MINUTE_MS))).toBe(
      "21T12:05 to 21T12:15",
    ));

  const within = (since: string, until: string, expected: [number, number] | null) =>
    it(`${since} to ${until} within 12:00 to 13:00`, () => {
      const range = rangeWithin(span(since, until), at("21T12:00"), 5 * MINUTE_MS, 12);
      expect(range === null ? null : [range.first, range.last]).toEqual(expected);
    });
  within("21T12:05", "21T12:15", [1, 2]);
  within("21T12:06", "21T12:07", [1, 1]);
  within("20T00:00", "22T00:00", [0, 11]);
  within("21T13:00", "21T14:00", null);
  within("21T11:00", "21T12:00", null);

  it("survive the way to times and back", () => {
    for (let first = 0; first < 12; first += 1) {
      for (let last = first; last < 12; last += 1) {
        const time = spanOf({ first, last }, at("21T12:00"), 5 * MINUTE_MS);
        expect(rangeWithin(time, at("21T12:00"), 5 * MINUTE_MS, 12)).toEqual({ first, last });
      }
    }
  });
});

describe("ticks", () => {
  const check = (since: string, until: string, zone: number, expected: string) =>
    it(`${since} to ${until}, ${zone} minutes east`, () => {
      const found = ticks(span(since, until), 6, () => zone).at;
      expect(found.map((tick) => new Date(tick).toISOString().slice(8, 16)).join(" ")).toBe(expected);
    });

  check("21T12:03", "21T13:00", 0, "21T12:10 21T12:20 21T12:30 21T12:40 21T12:50");
  check("20T12:00", "21T12:00", 0, "20T12:00 20T18:00 21T00:00 21T06:00");
  check("20T12:00", "21T12:00", 60, "20T17:00 20T23:00 21T05:00 21T11:00");
  check("15T12:00", "21T12:00", 0, "16T00:00 17T00:00 18T00:00 19T00:00 20T00:00 21T00:00");

  it("stay round when the clocks are changed", () => {
    // Central Europe, 25 October 2026, 01:00 UTC: from two hours ahead to one.
    const change = Date.parse("2026-10-25T01:00Z");
    const zone = (time: number) => (time < change ? 120 : 60);
    const days = { since: Date.parse("2026-10-24T00:00Z"), until: Date.parse("2026-10-27T00:00Z") };
    const found = ticks(days, 4, zone).at.map((tick) => new Date(tick).toISOString().slice(5, 16));
    expect(found).toEqual(["10-24T22:00", "10-25T23:00", "10-26T23:00"]);
  });
});
