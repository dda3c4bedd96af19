import { describe, expect, it } from "vitest";
import { hashOf, queryOf } from "./query-link";

describe("a link to a query", () => {
  for (const sql of [
    "SELECT 1",
    "SELECT '50%' || \"a+b\" -- ü\nWHERE x = '#&?=' AND y LIKE '%2F%'",
    "SELECT '\u{1f4a5}'",
  ]) {
    it(`is read back: ${JSON.stringify(sql)}`, () => expect(queryOf(hashOf(sql))).toBe(sql));
  }
  it("is none for no query", () => expect(hashOf("")).toBe(""));
  it("is none for a giant", () => expect(hashOf("x".repeat(8001))).toBe(""));
  it("may be none", () => {
    expect(queryOf("")).toBe(null);
    expect(queryOf("#sql=")).toBe(null);
    expect(queryOf("#main")).toBe(null);
  });
  it("may be broken", () => expect(queryOf("#sql=%E0%A4%A")).not.toBe(null));
});
