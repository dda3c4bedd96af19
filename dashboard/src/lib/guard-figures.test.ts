import { describe, expect, it } from "vitest";
import {
  blockedShare,
  endpointFigures,
  gathered,
  meanOf,
  moodOf,
  secondsShort,
  shareText,
  stepsOf,
  sumOf,
  trafficOf,
  valuesOf,
} from "./guard-figures";

const NOW = Date.parse("2026-11-21T18:00:30Z");
const point = (time: string, count: number, sum: number) => ({ time, count, sum, min: sum / count, max: sum });

describe("steps", () => {
  it("cover the time asked for, and no more steps than there is room for", () => {
    for (const [key, ms] of [["1h", 3.6e6], ["24h", 86.4e6], ["7d", 604.8e6]] as const) {
      const steps = stepsOf(key, NOW, 100);
      expect(steps.count).toBeLessThanOrEqual(100);
      expect(steps.since).toBeLessThanOrEqual(NOW - ms);
      expect(steps.since + steps.step * steps.count).toBeGreaterThanOrEqual(NOW);
    }
  });

  it("a time that is not known is a day", () => {
    expect(stepsOf("constructor", NOW, 100)).toEqual(stepsOf("24h", NOW, 100));
  });
});

describe("points in steps", () => {
  const steps = { since: Date.parse("2026-11-21T18:00:00Z"), step: 60_000, count: 3 };
  it("fall where they belong; what is outside is left out", () => {
    const points = [
      point("2026-11-21T17:59:59Z", 1, 9),
      point("2026-11-21T18:00:00Z", 1, 1),
      point("2026-11-21T18:00:30Z", 3, 2),
      point("2026-11-21T18:02:59Z", 2, 4),
      point("2026-11-21T18:03:00Z", 1, 9),
      point("not a time", 1, 9),
    ];
    expect(valuesOf(points, steps, (one) => one.sum)).toEqual([3, null, 4]);
    expect(gathered(points, steps)[0]).toMatchObject({ count: 4, sum: 3, max: 2 });
  });
});

it("means and shares are of what was told", () => {
  expect(meanOf({ count: 4, sum: 2 })).toBe(0.5);
  expect(meanOf({ count: 0, sum: 0 })).toBeNull();
  expect(sumOf([point("a", 1, 2), point("b", 3, 4)])).toEqual({ count: 4, sum: 6 });
  expect(blockedShare(90, 10)).toBe(0.1);
  expect(blockedShare(0, 0)).toBeNull();
});

it("endpoints are put together from three metrics, the busiest first", () => {
  const rows = endpointFigures(
    [{ endpoint: "/a", count: 1, sum: 5 }, { endpoint: "/b", count: 1, sum: 50 }],
    [{ endpoint: "/a", count: 2, sum: 1 }],
    [{ endpoint: "__proto__", count: 4, sum: 1 }],
  );
  expect(rows).toEqual([
    { endpoint: "/b", requests: 50, response: null, errors: null },
    { endpoint: "/a", requests: 5, response: 0.5, errors: null },
    { endpoint: "__proto__", requests: null, response: null, errors: 0.25 },
  ]);
});

describe("seconds", () => {
  const check = (seconds: number | null, expected: string) =>
    it(expected, () => expect(secondsShort(seconds)).toBe(expected));
  check(null, "–");
  check(Number.NaN, "–");
  check(0, "0 ms");
  check(0.00002, "20 µs");
  check(0.0042, "4.20 ms");
  check(0.42, "420 ms");
  check(12.34, "12.3 s");
});

describe("shares", () => {
  const check = (share: number | null, expected: string) => it(expected, () => expect(shareText(share)).toBe(expected));
  check(null, "–");
  check(0, "0 %");
  check(0.00001, "< 0.1 %");
  check(0.024, "2.4 %");
  check(0.5, "50 %");
});

describe("how a project is doing", () => {
  const check = (last_seen: string | null, warning: string | null, expected: string) =>
    it(expected, () => expect(moodOf({ last_seen, warning }, NOW)).toBe(expected));
  check(null, null, "new");
  check("2026-11-21T17:55:00Z", null, "reports");
  check("2026-11-21T17:00:00Z", null, "quiet");
  check("2026-11-21T17:55:00Z", "one key on many", "warned");
});

describe("requests and what came of them", () => {
  const steps = { since: Date.parse("2026-11-21T18:00:00Z"), step: 60_000, count: 2 };
  const at = (count: number, sum: number) => [point("2026-11-21T18:00:10Z", count, sum)];
  const check = (name: string, requests: number, rate: [number, number] | null, counted: number, expected: unknown) =>
    it(name, () => {
      const told = trafficOf(
        requests === 0 ? [] : at(1, requests),
        rate === null ? [] : at(...rate),
        counted === 0 ? [] : at(counted, counted),
        steps,
      );
      expect([told.passed[0], told.blocked[0], told.shares[0]]).toEqual(expected);
      // The minute after it has nothing.
      expect([told.passed[1], told.blocked[1], told.shares[1]]).toEqual([0, 0, null]);
    });
  check("of Python guards: blocked ones come on top", 30, null, 10, [30, 10, 0.25]);
  check("of Python guards that let nothing through", 0, null, 4, [0, 4, 1]);
  check("of ours: blocked ones are among them", 40, [40, 10], 10, [30, 10, 0.25]);
  check("of ours, an event from before the step's end", 40, [40, 10], 12, [30, 10, 0.25]);
  check("of ours that send no events", 40, [40, 10], 0, [30, 10, 0.25]);
  check("of both in one project", 60, [40, 10], 15, [50, 15, 15 / 65]);
  check("of nobody", 0, null, 0, [0, 0, null]);
});
