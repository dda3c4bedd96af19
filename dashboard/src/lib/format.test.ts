import { describe, expect, it } from "vitest";
import { ago, bytes, countCompact, countShort, duration, endpoint, percent, plural, score } from "./format";
import { backoffMs } from "./stream";

function table<T>(name: string, format: (value: T) => string, rows: [T, string][]): void {
  describe(name, () => {
    for (const [value, expected] of rows) {
      it(`${JSON.stringify(value)} is ${expected}`, () => expect(format(value)).toBe(expected));
    }
  });
}

table("bytes", bytes, [
  [0, "0 B"],
  [1023, "1023 B"],
  [1536, "1.5 KiB"],
  [8_218_000_000, "7.7 GiB"],
  [null, "–"],
]);
table("countShort", countShort, [
  [999, "999"],
  [60_000, "60,000"],
  [1_234_567, "1.2M"],
]);
table("percent", percent, [
  [12.345, "12.3"],
  [0, "0.0"],
  [null, "–"],
  [Number.NaN, "–"],
]);
table("score", score, [
  [84.6, "85"],
  [null, "–"],
]);
table("duration", duration, [
  [0, "0 s"],
  [61_000, "1 min 1 s"],
  [3_600_000, "1 h"],
  [86_400_000 * 3 + 3_600_000 * 4 + 60_000, "3 d 4 h"],
  [-5, "0 s"],
]);

const now = Date.parse("2026-01-15T10:00:00Z");
table("ago", (time: string) => ago(time, now), [
  ["2026-01-15T09:59:59Z", "now"],
  ["2026-01-15T09:59:30Z", "30 s ago"],
  ["2026-01-15T09:00:00Z", "1 h ago"],
  ["2026-01-12T09:00:00Z", "3 d ago"],
  ["2026-01-15T10:05:00Z", "in 5 min"],
  ["nonsense", "–"],
]);
table("endpoint", ([address, port]: [string | null, number | null]) => endpoint(address, port), [
  [["10.0.0.1", 443], "10.0.0.1:443"],
  [["::1", 22], "[::1]:22"],
  [[null, null], "*"],
]);
table("plural", (value: number) => plural(value, "host"), [
  [1, "1 host"],
  [1200, "1,200 hosts"],
]);

describe("backoffMs", () => {
  it("doubles, has a ceiling, and jitters within its upper half", () => {
    expect(backoffMs(0, 1)).toBe(500);
    expect(backoffMs(3, 1)).toBe(4000);
    expect(backoffMs(50, 1)).toBe(15_000);
    expect(backoffMs(50, 0)).toBe(7500);
  });
});

describe("counts where there is little room", () => {
  const check = (value: number, expected: string) =>
    it(String(value), () => expect(countCompact(value)).toBe(expected));
  check(9999, "9,999");
  check(37_549, "37.5K");
  check(2_834_192, "2.8M");
});
