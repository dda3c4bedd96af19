import { describe, expect, it } from "vitest";
import { PAGE_GROUPS, PAGE_LINKS } from "./pages";

describe("the pages", () => {
  it("have one address and one key each", () => {
    for (const of of ["href", "key", "name"] as const) {
      const all = PAGE_LINKS.map((page) => page[of]);
      expect(new Set(all).size, of).toBe(all.length);
    }
  });

  it("leave room on the narrow bar for the way to the others", () => {
    expect(PAGE_LINKS.filter((page) => page.near)).toHaveLength(4);
  });

  it("stand in groups with a name, but for the first", () => {
    expect(PAGE_GROUPS.findIndex((group) => group.name === "")).toBe(0);
    expect(PAGE_GROUPS.slice(1).every((group) => group.name !== "")).toBe(true);
  });
});
