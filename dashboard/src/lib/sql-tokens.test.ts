import { describe, expect, it } from "vitest";
import { sqlTokens } from "./sql-tokens";

function check(sql: string, expected: string): void {
  it(JSON.stringify(sql), () => {
    const tokens = sqlTokens(sql);
    expect(tokens.map((token) => token.text).join("")).toBe(sql);
    const shown = tokens.filter((token) => token.kind !== "").map((token) => `${token.kind}:${token.text}`);
    expect(shown.join(" ")).toBe(expected);
  });
}

describe("the pieces of a query", () => {
  check("SELECT count(*) FROM events", "keyword:SELECT function:count keyword:FROM name:events");
  check("where x = 'it''s' -- all", "keyword:where name:x string:'it''s' comment:-- all");
  check("limit 1.5e3", "keyword:limit number:1.5e3");
  check('a."order by"', 'name:a name:"order by"');
  check("x IN (1)", "name:x keyword:IN number:1");
  check("'open", "string:'open");
  check("/* open", "comment:/* open");
  check("", "");
  it("of a long text come soon", () => {
    const sql = "('".repeat(20_000);
    expect(sqlTokens(sql).map((token) => token.text).join("")).toBe(sql);
  });
});
