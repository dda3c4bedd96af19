import { describe, expect, it } from "vitest";
import { type Series, pathOf, scaleFor, stack, totals } from "./stacks";

const series = (key: string, ...counts: number[]): Series => ({
  key,
  name: key,
  colour: "--line",
  counts,
});

describe("a stack", () => {
  it("adds up", () => expect(totals([series("a", 1, 2), series("b", 3)], 2)).toEqual([4, 2]));

  it("stands on the ground, one on the other", () => {
    const [lower, upper] = stack([series("a", 25, 0), series("b", 25, 50)], 2, 100, 200);
    expect(lower).toEqual([{ bucket: 0, y: 150, height: 50 }]);
    expect(upper).toEqual([
      { bucket: 0, y: 100, height: 50 },
      { bucket: 1, y: 100, height: 100 },
    ]);
  });

  it("of very little is seen", () => {
    const [only] = stack([series("a", 1)], 1, 1_000_000, 100);
    expect(only?.[0]?.height).toBe(2);
  });

  it("of nothing is nothing", () => expect(stack([series("a", 0)], 1, 1, 100)).toEqual([[]]));
});

describe("a path", () => {
  it("has joints", () =>
    expect(pathOf([{ bucket: 1, y: 10, height: 20 }], 12, 40)).toBe("M53.00 11.00h10.00v19.00h-10.00z"));
  it("of narrow stones has none", () =>
    expect(pathOf([{ bucket: 0, y: 1, height: 2 }], 2, 0)).toBe("M0.00 1.00h2.00v2.00h-2.00z"));
});

describe("a scale", () => {
  const check = (value: number, most: number, marks: number[]) =>
    it(String(value), () => expect(scaleFor(value)).toEqual({ most, marks }));

  check(0, 1, [1]);
  check(1, 1, [1]);
  check(3, 3, [1, 2, 3]);
  check(7, 8, [2, 4, 6, 8]);
  check(10, 10, [5, 10]);
  check(90, 100, [25, 50, 75, 100]);
  check(1234, 1500, [500, 1000, 1500]);
});
