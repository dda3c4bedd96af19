import { describe, expect, it } from "vitest";
import type { HostProcess } from "./api-types";
import { buildForest, descendantsOf, flatten, matches, processKey, ranked } from "./process-tree";

function process(pid: number, parent_pid: number | null, more: Partial<HostProcess> = {}) {
  const empty = { user: null, executable: null, command_line: null, risk_score: null };
  const unknown = { cpu_percent: null, memory_percent: null, first_seen: null, last_seen: null };
  const start_time = `2026-01-01T00:00:00.${String(pid).padStart(6, "0")}Z`;
  return { pid, parent_pid, start_time, name: `p${pid}`, ...empty, ...unknown, ...more };
}

/** The forest as indented pids, to compare at a glance. */
function shape(processes: HostProcess[], search = "", collapsed: number[] = []): string[] {
  const keys = new Set(collapsed.map((pid) => processKey(process(pid, null))));
  return flatten(buildForest(processes), keys, search).map(
    (row) => `${" ".repeat(row.depth)}${row.process.pid}`,
  );
}

describe("the tree", () => {
  it("puts children below their parents, in the order of pids", () =>
    expect(shape([process(30, 1), process(1, 0), process(20, 1), process(21, 20)])).toEqual([
      "1",
      " 20",
      "  21",
      " 30",
    ]));
  it("makes roots of those whose parent is gone or nobody", () =>
    expect(shape([process(5, 4), process(6, null), process(7, 7)])).toEqual(["5", "6", "7"]));
  it("cuts circles at the lowest pid, and loses nobody", () =>
    expect(shape([process(3, 2), process(2, 4), process(4, 3), process(9, 4)])).toEqual([
      "2",
      " 3",
      "  4",
      "   9",
    ]));
  it("shows a repeated row once", () =>
    expect(shape([process(1, 0), process(1, 0)])).toEqual(["1"]));
  it("hides what is below a collapsed row and counts it", () => {
    const list = [process(1, 0), process(2, 1), process(3, 2), process(4, 0)];
    expect(shape(list, "", [1])).toEqual(["1", "4"]);
    expect(flatten(buildForest(list), new Set(), "")[0]?.descendants).toBe(2);
  });
  it("keeps the way to what matches, even below collapsed rows", () =>
    expect(shape([process(1, 0), process(2, 1), process(3, 2), process(4, 1)], "p3", [1])).toEqual([
      "1",
      " 2",
      "  3",
    ]));
  it("takes a chain of 50,000", () => {
    const chain = Array.from({ length: 50_000 }, (_, i) => process(i + 1, i));
    expect(shape(chain)).toHaveLength(50_000);
  });
  it("takes a circle of 50,000", () => {
    const ring = Array.from({ length: 50_000 }, (_, i) => process(i + 1, i === 0 ? 50_000 : i));
    expect(shape(ring)).toHaveLength(50_000);
  });
});

describe("the search", () => {
  const sshd = process(812, 1, { name: "sshd", user: "root", command_line: "sshd -D [listener]" });
  const check = (search: string, expected: boolean) =>
    it(JSON.stringify(search), () => expect(matches(sshd, search)).toBe(expected));
  check("", true);
  check("812", true);
  check("81", false);
  check("SSHD root", true);
  check("sshd alice", false);
  check("[listener]", true);
});

describe("the ranking", () => {
  it("puts the largest first and the unknown last", () => {
    const list = [
      process(1, 0, { cpu_percent: 2 }),
      process(2, 0),
      process(3, 0, { cpu_percent: 90 }),
    ];
    expect(ranked(list, "cpu", "").map((row) => row.process.pid)).toEqual([3, 1, 2]);
  });
});

describe("what descends from a process", () => {
  const list = [process(1, 0), process(2, 1), process(3, 2), process(4, 2), process(9, 0)];
  const check = (pid: number, expected: number) =>
    it(`${pid}: ${expected}`, () => expect(descendantsOf(list, process(pid, null))).toBe(expected));
  check(1, 3);
  check(2, 2);
  check(4, 0);
  check(9, 0);
  it("is nothing where the pid is another process by now", () =>
    expect(descendantsOf(list, { pid: 1, start_time: null })).toBe(0));
});
