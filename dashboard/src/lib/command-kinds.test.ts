import { describe, expect, it } from "vitest";
import { COMMAND_ACTIONS, type CommandRow, type CommandTarget } from "./api-types";
import { blockEnds, COMMAND_KINDS, commandKind, followUp, targetKind, targetText } from "./command-kinds";
import { stepsOf } from "./command-steps";

const NOW = Date.parse("2026-11-21T16:00:00Z");

function command(changes: Partial<CommandRow>): CommandRow {
  return {
    id: "cmd_1",
    source: "host-agent:web-1",
    action: "kill_process",
    target: { pid: 7, start_time: null, name: "ncat" },
    reason: "test",
    ordered_by: "user:admin",
    alert: null,
    state: "succeeded",
    created: "2026-11-21T15:59:00Z",
    expires: "2026-11-21T16:04:00Z",
    delivered: "2026-11-21T15:59:00.250Z",
    finished: "2026-11-21T15:59:02Z",
    deliveries: 1,
    result: "done",
    ...changes,
  };
}

describe("kinds of commands", () => {
  it("each action has one", () => {
    for (const action of COMMAND_ACTIONS) expect(commandKind(action)).toBe(COMMAND_KINDS[action]);
  });

  it("an action of a newer server has none", () => {
    for (const action of ["reboot", "constructor", ""]) expect(commandKind(action)).toBeNull();
  });

  it("what cannot be undone says so", () => {
    for (const kind of Object.values(COMMAND_KINDS)) {
      if (kind.danger === "final") expect(kind.wayBack).toBeNull();
      if (kind.danger === "careful") expect(kind.wayBack).not.toBeNull();
    }
  });

  it("targets are told by their fields", () => {
    const check = (target: CommandTarget, kind: string, text: string) => {
      expect(targetKind(target)).toBe(kind);
      expect(targetText(target)).toBe(text);
    };
    check({ pid: 7, start_time: null, name: "ncat" }, "process", "ncat, pid 7");
    check({ path: "/tmp/x" }, "file", "/tmp/x");
    check({ quarantine_id: "q1" }, "quarantine", "q1");
    check({ address: "::1", seconds: 5 }, "address", "::1");
  });
});

describe("the way back", () => {
  it("is offered for what succeeded", () => {
    const process = { pid: 7, start_time: null, name: "ncat" };
    expect(followUp(command({ action: "stop_process", target: process }), NOW)).toEqual({
      action: "continue_process",
      target: process,
    });
    const block = command({ action: "block_address", target: { address: "203.0.113.9", seconds: 600 } });
    expect(followUp(block, NOW)).toEqual({ action: "unblock_address", target: { address: "203.0.113.9" } });
    expect(followUp(command({ action: "quarantine_file", target: { path: "/x" } }), NOW)?.action).toBe(
      "restore_file",
    );
  });

  it("is not offered for what failed, is final, or is over", () => {
    const stopped = command({ action: "stop_process", state: "failed" });
    expect(followUp(stopped, NOW)).toBeNull();
    expect(followUp(command({}), NOW)).toBeNull();
    const block = command({ action: "block_address", target: { address: "203.0.113.9", seconds: 30 } });
    expect(blockEnds(block)).toBe(Date.parse("2026-11-21T15:59:32Z"));
    expect(followUp(block, NOW)).toBeNull();
  });
});

describe("the steps of a command", () => {
  const check = (name: string, changes: Partial<CommandRow>, expected: string[]) =>
    it(name, () => {
      expect(stepsOf(command(changes), NOW).map((step) => `${step.name}: ${step.state}`)).toEqual(expected);
    });
  check("carried out", {}, ["Ordered: done", "Handed to the host: done", "Carried out: done"]);
  check("failed", { state: "failed" }, ["Ordered: done", "Handed to the host: done", "Failed: failed"]);
  check("waits", { state: "queued", delivered: null, finished: null, deliveries: 0 }, [
    "Ordered: done",
    "Waits for the host: now",
    "Result: ahead",
  ]);
  check("on the host", { state: "delivered", finished: null }, [
    "Ordered: done",
    "Handed to the host: done",
    "Result: now",
  ]);
  check("expired before the host came", { state: "expired", delivered: null, deliveries: 0 }, [
    "Ordered: done",
    "Never handed out: skipped",
    "Expired: skipped",
  ]);

  it("say how long each took", () => {
    const steps = stepsOf(command({}), NOW);
    expect(steps.map((step) => step.text)).toEqual([
      "by user:admin",
      "after 250 ms",
      "2.0 s after the order",
    ]);
    const waiting = stepsOf(command({ state: "queued", delivered: null, finished: null }), NOW);
    expect(waiting[1]?.text).toBe("expires in 4 min");
  });
});
