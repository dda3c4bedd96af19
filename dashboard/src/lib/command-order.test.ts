import { describe, expect, it } from "vitest";
import type { CommandAction, CommandTarget } from "./api-types";
import { draftOf, targetOf, warningOf } from "./command-order";

const process = { pid: 4242, start_time: "2026-11-21T15:00:00Z", name: "ncat" };

describe("an order is sent as it was meant", () => {
  const check = (action: CommandAction, target: CommandTarget) =>
    it(action, () => {
      expect(targetOf(draftOf(action, target))).toEqual({ target });
    });
  check("kill_process", process);
  check("kill_tree", process);
  check("collect_file", { path: "/etc/passwd" });
  check("quarantine_file", { path: "/tmp/a file" });
  check("restore_file", { quarantine_id: "q1" });
  check("block_address", { address: "203.0.113.9", seconds: 600 });
  check("block_address", { address: "192.0.2.0/24", seconds: 600 });
  check("unblock_address", { address: "2001:db8::1" });
});

describe("an order that cannot be meant is not sent", () => {
  const check = (name: string, action: CommandAction, target: CommandTarget | null, fault: RegExp) =>
    it(name, () => {
      const made = targetOf(draftOf(action, target));
      expect("fault" in made ? made.fault : "").toMatch(fault);
    });
  check("no process", "kill_process", null, /Choose/);
  check("the first process", "kill_tree", { ...process, pid: 1 }, /never/);
  check("no path", "collect_file", { path: "" }, /absolute/);
  check("a relative path", "collect_file", { path: "etc/passwd" }, /slash/);
  check("a path upwards", "quarantine_file", { path: "/tmp/../etc/passwd" }, /up/);
  check("a folder", "quarantine_file", { path: "/tmp/" }, /folder/);
  check("a path with NUL", "collect_file", { path: "/tmp/a\0b" }, /NUL/);
  check("a path of five thousand bytes", "collect_file", { path: `/${"ä".repeat(2500)}` }, /long/);
  check("a name", "block_address", { address: "example.org", seconds: 60 }, /address/);
  check("the host itself", "block_address", { address: "127.0.0.1", seconds: 60 }, /itself/);
  check("the host itself in IPv6", "block_address", { address: "::ffff:127.0.0.1", seconds: 60 }, /itself/);
});

describe("a warning", () => {
  it("says how much ends with a tree", () => {
    expect(warningOf(draftOf("kill_tree", process), 3)).toMatch(/^3 processes descend/);
    expect(warningOf(draftOf("kill_tree", process), 1)).toMatch(/^One process descends/);
    expect(warningOf(draftOf("kill_tree", process), 0)).toBeNull();
    expect(warningOf(draftOf("kill_process", process), 3)).toBeNull();
  });

  it("says that a private address may be one's own", () => {
    const warning = (address: string) => warningOf(draftOf("block_address", { address, seconds: 1 }), 0);
    expect(warning("192.168.0.1")).toMatch(/private/);
    expect(warning("203.0.113.9")).toBeNull();
    expect(warning("192.0.2.0/24")).toMatch(/256 addresses/);
    expect(warning("nonsense")).toBeNull();
  });
});
