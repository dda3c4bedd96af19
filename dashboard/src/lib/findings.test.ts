import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { EVENT_KINDS, FINDINGS } from "./api-types";
import { QUERY_TABLES } from "./query-schema";

/** The names in a list of the crate `event`. */
function listed(file: string, list: string): string[] {
  const text = readFileSync(new URL(`../../../crates/event/src/${file}`, import.meta.url), "utf8");
  const body = new RegExp(`pub const ${list}: \\[[^\\]]*\\] =\\s*\\[([^\\]]*)\\];`).exec(text)?.[1] ?? "";
  return [...body.matchAll(/"(\w+)"/g)].map(([, name = ""]) => name);
}

it("findings are what the server concludes", () => {
  expect(listed("alert.rs", "KINDS").length).toBeGreaterThan(4);
  expect([...FINDINGS].toSorted()).toEqual(listed("alert.rs", "KINDS").toSorted());
});

it("kinds of events are what the server takes", () => {
  expect(listed("activity.rs", "KINDS").length).toBeGreaterThan(9);
  expect([...EVENT_KINDS].toSorted()).toEqual(listed("activity.rs", "KINDS").toSorted());
});

it("what SQL can ask of alerts names every finding", () => {
  const columns = QUERY_TABLES.find((one) => one.name === "alerts")?.columns ?? [];
  const about = columns.find(([name]) => name === "finding")?.[2] ?? "";
  expect(about.match(/\w+/g)?.filter((word) => word !== "or").toSorted()).toEqual([...FINDINGS].toSorted());
});
