import { describe, expect, it } from "vitest";
import { type QueryColumn, placeOf, readLine, readableTime, shapeOf } from "./query-lines";

describe("a line of an answer", () => {
  it("says the columns", () =>
    expect(readLine({ columns: [{ name: "n", type: "INTEGER" }, { name: "x" }] })).toEqual({
      columns: [
        { name: "n", type: "integer" },
        { name: "x", type: "" },
      ],
    }));
  it("says rows", () =>
    expect(readLine({ rows: [[1, "a", null, true], [{ a: 1 }]] })).toEqual({
      rows: [[1, "a", null, true], ['{"a":1}']],
    }));
  it("says why there is no answer", () =>
    expect(readLine({ error: { code: "syntax", message: "near `SELEC`" } })).toEqual({
      error: { code: "syntax", message: "near `SELEC`", hint: null },
    }));
  it("may say what we do not know", () => {
    expect(readLine({ later: 1 })).toEqual({});
    expect(readLine(7)).toEqual({});
    expect(readLine({ done: { rows: "many" } }).done?.rows).toBe(0);
  });
});

describe("the place of a fault", () => {
  it("stands first", () => expect(placeOf("3:14: no such column")).toEqual({ line: 3, column: 14 }));
  it("may be missing", () => expect(placeOf("no such table: x")).toBe(null));
});

describe("the shape of a column", () => {
  const check = (column: Partial<QueryColumn>, values: (string | number | null)[], expected: string) =>
    it(`${column.type ?? ""} ${JSON.stringify(values)}`, () =>
      expect(
        shapeOf({ name: "x", type: "", ...column }, 0, values.map((value) => [value])),
      ).toBe(expected));

  check({ type: "time" }, [], "time");
  check({ type: "integer" }, ["1"], "number");
  check({ type: "real" }, [], "number");
  check({}, [1, null, 2], "number");
  check({}, [1, "two"], "text");
  check({}, ["2026-11-21T12:00:00.000000Z", null], "time");
  check({}, ["2026-11-21T12:00:00Z", "later"], "text");
  check({}, [null], "text");
  check({ type: "text" }, ["2026-11-21T12:00:00.000000Z"], "time");
});

describe("a time to read", () => {
  const check = (text: string, expected: string) =>
    it(text, () => expect(readableTime(text)).toBe(expected));
  check("2026-11-21T12:00:00.123000Z", "2026-11-21 12:00:00.123");
  check("2026-11-21T12:00:00.123456Z", "2026-11-21 12:00:00.123456");
  check("2026-11-21T12:00:00.000000Z", "2026-11-21 12:00:00.000");
  check("2026-11-21T12:00:00Z", "2026-11-21 12:00:00");
  check("2026-11-21", "2026-11-21");
});
