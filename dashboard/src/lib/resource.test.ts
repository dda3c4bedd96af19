import { describe, expect, it } from "vitest";
import type { Page } from "./api-types";
import { type Change, PagedList, withChanges } from "./resource.svelte";

interface Row {
  id: string;
  version: number;
}

const row = (text: string): Row => ({ id: text.slice(0, 1), version: Number(text.slice(1)) });

/** Rows and changes as short texts: `a1` is row `a` in version 1; `+`, `~`, `-` say how. */
function check(name: string, rows: string, changes: string, expected: string): void {
  const how = { "+": "keep", "~": "replace", "-": "drop" } as const;
  const split = (text: string) => text.split(" ").filter((part) => part !== "");
  it(name, () => {
    const made = split(changes).map((change): Change<Row> => {
      const sign = change.slice(0, 1) as keyof typeof how;
      return { row: row(change.slice(1)), how: how[sign] };
    });
    const after = withChanges(split(rows).map(row), made);
    expect(after.map(({ id, version }) => `${id}${version}`).join(" ")).toBe(expected);
  });
}

describe("live rows", () => {
  check("take the place of their older selves", "a1 b1 c1", "+b2", "a1 b2 c1");
  check("are on top where they are new, the latest first", "a1", "+b1 +c1", "c1 b1 a1");
  check("count in their last version", "a1", "+b1 +b2 +a2", "b2 a2");
  check("go where they no longer fit", "a1 b1", "-a2", "b1");
  check("that go and come again are there", "a1", "-a2 +a3", "a3");
  check("that come and go again are not", "", "+a1 -a2", "");
  check("that may only replace do not join", "a1", "~b1 ~a2", "a2");
});

describe("a list in pages", () => {
  /** A list of three rows a page whose pages are these; `|` marks where one that is short ends. */
  function listOf(pages: string) {
    const all = pages.split("|").map((page) => page.split(" ").filter((id) => id !== ""));
    const asked: string[] = [];
    const read = async (query: { cursor?: string | null }): Promise<Page<{ id: string }>> => {
      const at = Number(query.cursor ?? 0);
      asked.push(String(at));
      if (all[at]?.includes("broken") === true) throw new Error("broken");
      const next_cursor = at + 1 < all.length ? String(at + 1) : null;
      return { data: (all[at] ?? []).map((id) => ({ id })), next_cursor };
    };
    const list = new PagedList<{ id: string }>(read, 3);
    return { list, asked, ids: () => (list.value ?? []).map((one) => one.id).join(" ") };
  }

  it("goes on by itself where pages come short", async () => {
    const { list, asked, ids } = listOf("a||b|c d|e f g");
    await list.load({});
    expect(ids()).toBe("a b c d");
    expect(asked).toEqual(["0", "1", "2", "3"]);
    expect(list.cursor).toBe("4");
    expect(list.searching).toBe(false);
  });

  it("asks once where a page is full", async () => {
    const { list, asked } = listOf("a b c|d e f|g");
    await list.load({});
    expect(asked).toEqual(["0"]);
    await list.more({});
    expect(asked).toEqual(["0", "1"]);
  });

  it("ends with the last page, however short", async () => {
    const { list, ids } = listOf("a|");
    await list.load({});
    expect(ids()).toBe("a");
    expect(list.cursor).toBe(null);
  });

  it("keeps what it has when it fails, and goes on from there", async () => {
    const { list, asked, ids } = listOf("a|broken|b");
    await list.load({});
    expect(ids()).toBe("a");
    expect(list.error?.detail).toContain("broken");
    expect(list.cursor).toBe("1");
    await list.more({});
    expect(asked).toEqual(["0", "1", "1"]);
  });

  it("stops when it is told to", async () => {
    const { list, asked } = listOf("a|b|c|d|e");
    const search = list.load({});
    while (!list.searching) await Promise.resolve();
    list.stop();
    await search;
    expect(list.searching).toBe(false);
    expect(list.loading).toBe(false);
    expect(asked.length).toBeLessThan(4);
    expect(list.cursor).not.toBe(null);
  });

  it("drops a search for another question", async () => {
    const { list, ids } = listOf("a|b|c d");
    const first = list.load({});
    const second = list.load({ cursor: null });
    await Promise.all([first, second]);
    expect(ids()).toBe("a b c d");
    expect(list.searching).toBe(false);
  });
});
