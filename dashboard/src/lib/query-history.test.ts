import { describe, expect, it } from "vitest";
import { HISTORY_MAX, type PastQuery, parseHistory, withQuery } from "./query-history";

const query = (sql: string, at = 0): PastQuery => ({ sql, at, rows: 1, elapsed_ms: 2 });
const texts = (history: PastQuery[]) => history.map((one) => one.sql).join(" | ");

describe("the history", () => {
  it("has the last one on top", () =>
    expect(texts(withQuery([query("a"), query("b")], query("c")))).toBe("c | a | b"));
  it("has each query once", () =>
    expect(texts(withQuery([query("a"), query("b")], query(" b\n", 9)))).toBe("b | a"));
  it("remembers the last run of a query", () =>
    expect(withQuery([query("a", 1)], query("a", 2))[0]?.at).toBe(2));
  it("forgets the oldest", () => {
    let history: PastQuery[] = [];
    for (let i = 0; i < HISTORY_MAX + 5; i += 1) history = withQuery(history, query(`q${i}`));
    expect(history).toHaveLength(HISTORY_MAX);
    expect(history.at(-1)?.sql).toBe("q5");
  });
  it("keeps no empty query", () => expect(withQuery([], query("  \n"))).toEqual([]));
  it("keeps no giant", () => expect(withQuery([], query("x".repeat(20_001)))).toEqual([]));
});

describe("what storage says", () => {
  const check = (name: string, text: string | null, expected: string) =>
    it(name, () => expect(texts(parseHistory(text))).toBe(expected));

  check("is read", JSON.stringify([query("a"), query("b")]), "a | b");
  check("may be nothing", null, "");
  check("may be no JSON", "{", "");
  check("may be no list", '{"sql":"a"}', "");
  check("may hold what is no query", JSON.stringify([1, null, { sql: 2 }, query("a")]), "a");
});
