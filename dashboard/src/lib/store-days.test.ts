import { describe, expect, it } from "vitest";
import { daysUpTo, unitFor } from "./store-days";

const NOW = Date.parse("2026-11-21T12:00:00Z");
const day = (text: string, events: number, bytes = 0) => ({ day: `${text}T00:00:00Z`, events, bytes });
const iso = (at: number) => new Date(at).toISOString().slice(0, 10);

describe("days", () => {
  it("are at least two weeks, up to today", () => {
    const found = daysUpTo([day("2026-11-20", 5, 7)], NOW);
    expect(iso(found.since)).toBe("2026-11-08");
    expect(found.events).toHaveLength(14);
    expect(found.events.at(-2)).toBe(5);
    expect(found.bytes.at(-2)).toBe(7);
    expect(found.events.at(-1)).toBe(0);
  });
  it("go back to the first one", () => {
    const found = daysUpTo([day("2026-11-21", 1), day("2026-10-01", 2)], NOW);
    expect(iso(found.since)).toBe("2026-10-01");
    expect(found.events.at(0)).toBe(2);
    expect(found.events.at(-1)).toBe(1);
  });
  it("are no more than a chart can show", () => {
    const found = daysUpTo([day("1970-01-01", 9), day("2026-11-21", 1)], NOW);
    expect(found.events).toHaveLength(400);
    expect(found.events.reduce((sum, one) => sum + one, 0)).toBe(1);
  });
  it("may be none", () => expect(daysUpTo([], NOW).events).toHaveLength(14));
  it("that are no days are left out", () =>
    expect(daysUpTo([day("never", 3)], NOW).events.every((one) => one === 0)).toBe(true));
});

describe("units", () => {
  it("are binary", () => {
    expect(unitFor(0)).toBe(1);
    expect(unitFor(1023)).toBe(1);
    expect(unitFor(1024)).toBe(1024);
    expect(unitFor(5 * 1024 ** 3)).toBe(1024 ** 3);
  });
});
