import { describe, expect, it } from "vitest";
import { type Cell, csvCell, csvOf, jsonOf } from "./csv";

describe("a cell", () => {
  const check = (cell: Cell, expected: string) =>
    it(JSON.stringify(cell), () => expect(csvCell(cell)).toBe(expected));

  check("plain", "plain");
  check("two words", "two words");
  check(null, "");
  check("", '""');
  check(-12.5, "-12.5");
  check(true, "true");
  check('say "hi"', '"say ""hi"""');
  check("a,b", '"a,b"');
  check("two\nlines", '"two\nlines"');
  check("cr\r", '"cr\r"');
  check(" padded", '" padded"');
  check("=1+1", "'=1+1");
  check("+49", "'+49");
  check("-rf", "'-rf");
  check("@SUM(A1)", "'@SUM(A1)");
  check("\t=1", "'\t=1");
  check('=HYPERLINK("http://x","y")', '"\'=HYPERLINK(""http://x"",""y"")"');
  check("a=1", "a=1");
});

describe("a table", () => {
  it("has a head, and lines that end as the standard says", () =>
    expect(csvOf(["n", "a,b"], [[1, "x"], [null, ""]])).toBe('n,"a,b"\r\n1,x\r\n,""\r\n'));
  it("without rows is its head", () => expect(csvOf(["n"], [])).toBe("n\r\n"));
});

describe("a table as JSON", () => {
  it("is objects", () =>
    expect(JSON.parse(jsonOf(["n", "t"], [[1, "=x"]]))).toEqual([{ n: 1, t: "=x" }]));
  it("is arrays where a name stands twice", () =>
    expect(JSON.parse(jsonOf(["n", "n"], [[1, 2]]))).toEqual([["n", "n"], [1, 2]]));
  it("keeps a column named __proto__", () =>
    expect(jsonOf(["__proto__"], [[1]])).toBe('[\n {\n  "__proto__": 1\n }\n]\n'));
});
