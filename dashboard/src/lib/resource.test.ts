import { describe, expect, it } from "vitest";
import { type Change, withChanges } from "./resource.svelte";

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
