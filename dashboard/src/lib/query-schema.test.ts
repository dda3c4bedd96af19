import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { QUERY_EXAMPLES } from "./query-examples";
import { QUERY_FUNCTIONS, QUERY_TABLES } from "./query-schema";
import { sqlTokens } from "./sql-tokens";

/** A source of the store. */
const source = (path: string) =>
  readFileSync(new URL(`../../../crates/store/src/${path}`, import.meta.url), "utf8");

const between = (text: string, begin: string, end: string) => {
  const at = text.indexOf(begin);
  expect(at, begin).toBeGreaterThan(-1);
  return text.slice(at, text.indexOf(end, at + begin.length));
};

const columnsOf = (table: string) => QUERY_TABLES.find((one) => one.name === table)?.columns ?? [];

describe("what SQL can ask is what the store says", () => {
  it("of events", () => {
    const body = between(source("archive/columns.rs"), "columns! {\n", "impl Column {\n    /// The column with");
    const found = [...body.matchAll(/((?: {4}\/\/\/ .*\n)+) {4}\w+ = "(\w+)", (\w+)/g)].map(
      ([, about = "", name = "", kind = ""]) => [
        name,
        kind.toLowerCase(),
        about.trim().split("\n").map((line) => line.trim().slice(4)).join(" "),
      ],
    );
    expect(found.length).toBeGreaterThan(30);
    // The id is computed; the store puts it second.
    expect(columnsOf("events")[1]?.[0]).toBe("metadata_uid");
    expect(columnsOf("events").filter(([name]) => name !== "metadata_uid")).toEqual(found);
  });

  it("of all else", () => {
    const tables = [
      ...source("sql/tables.rs").matchAll(
        /Other \{\s*name: "(\w+)",\s*about: "([^"]*)",[\s\S]*?columns: columns! \{([\s\S]*?)\n {8}\},/g,
      ),
    ];
    const found = tables.map(([, name, about, columns = ""]) => ({
      name,
      about,
      columns: [...columns.matchAll(/"(\w+)" (\w+) "[^"]*" "([^"]*)";/g)].map(
        ([, column, kind = "", meaning]) => [column, kind.toLowerCase(), meaning],
      ),
    }));
    expect(found.length).toBeGreaterThan(3);
    expect(QUERY_TABLES.slice(1)).toEqual(found);
  });

  it("of functions", () => {
    const body = between(source("sql/functions.rs"), "pub const FUNCTIONS", "];");
    const found = [...body.matchAll(/\("([^"]+)", "([^"]+)"\)/g)].map(([, call, about]) => [call, about]);
    expect(found.length).toBeGreaterThan(0);
    expect(QUERY_FUNCTIONS).toEqual(found);
  });
});

describe("the examples", () => {
  const known = new Set(
    QUERY_TABLES.flatMap((table) => [table.name, ...table.columns.map(([name]) => name)]),
  );
  for (const example of QUERY_EXAMPLES) {
    it(`name what there is: ${example.title}`, () => {
      const aliases = new Set(
        [...example.sql.matchAll(/\bAS (\w+)/gi)].map(([, name = ""]) => name),
      );
      const names = sqlTokens(example.sql).filter((token) => token.kind === "name");
      expect(names.filter(({ text }) => !known.has(text) && !aliases.has(text))).toEqual([]);
    });
  }
});
