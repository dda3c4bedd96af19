import { describe, expect, it } from "vitest";
import type { Delivery, Webhook } from "./api-types";
import { failingSince, healthOf, isPlain, toldText, urlFault, waitingOf } from "./webhooks";

const NONE = { pending: 0, failed: 0, success: 0, dead_letter: 0 };

describe("the health of a webhook", () => {
  const check = (name: string, deliveries: Partial<typeof NONE>, expected: string, enabled = true) =>
    it(name, () => {
      const { mood, name: said } = healthOf({ enabled, deliveries: { ...NONE, ...deliveries } });
      expect(`${mood}: ${said}`).toBe(expected);
    });
  check("nothing was sent", {}, "unused: nothing sent yet");
  check("the first waits", { pending: 1 }, "unused: waits");
  check("all arrived", { success: 7 }, "fine: delivers");
  check("some are tried again", { success: 7, failed: 1 }, "failing: failing");
  check("some were given up", { success: 7, dead_letter: 2 }, "gave-up: 2 dead letters");
  check("paused, whatever else", { failed: 1, dead_letter: 2 }, "paused: paused", false);

  it("what was tried in vain waits, too", () => {
    expect(waitingOf({ deliveries: { ...NONE, pending: 2, failed: 3, dead_letter: 9 } })).toBe(5);
  });

  it("it fails since the oldest that does", () => {
    const delivery = (created: string) => ({ created }) as Delivery;
    expect(failingSince([])).toBeNull();
    expect(failingSince([delivery("2026-02-02T00:00:00Z"), delivery("2026-01-01T00:00:00Z")])).toBe(
      "2026-01-01T00:00:00Z",
    );
  });
});

describe("what a webhook is told", () => {
  const check = (changes: Partial<Webhook>, expected: string) =>
    it(expected, () => {
      const all = { min_severity: null, findings: [], sources: [], threshold: null };
      expect(toldText({ ...all, format: "standard", ...changes })).toBe(expected);
    });
  check({}, "All alerts");
  check({ min_severity: "high" }, "Alerts, high and above");
  check({ min_severity: "critical", findings: ["new_process"] }, "Critical alerts (new process)");
  check({ sources: ["host-agent:web-1"] }, "All alerts, of host-agent:web-1");
  check({ sources: ["a:1", "b:2"] }, "All alerts, of 2 hosts");
  check({ format: "sysscore", threshold: 85 }, "Processes that reach a risk of 85");
});

describe("the address of a webhook", () => {
  const check = (url: string, fault: RegExp | null) =>
    it(url, () => {
      const found = urlFault(url);
      if (fault === null) expect(found).toBeNull();
      else expect(found).toMatch(fault);
    });
  check("https://example.com/ringwall?key=1", null);
  check("http://10.0.0.9:8080/", null);
  check("", /An address/);
  check("example.com", /An address/);
  check("ftp://example.com/", /https/);
  check("javascript:alert(1)", /https/);
  check("https://me:secret@example.com/", /password/);
  check("https://example.com/#part", /#/);
  check(`https://example.com/${"a".repeat(2100)}`, /long/);

  it("says when it can be read on the way", () => {
    expect(isPlain(" HTTP://example.com")).toBe(true);
    expect(isPlain("https://example.com")).toBe(false);
  });
});
