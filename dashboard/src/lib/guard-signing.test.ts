import { describe, expect, it } from "vitest";
import { refusedText, signingOf } from "./guard-signing";

describe("whether an agent signs", () => {
  const check = (version: string | null, expected: string) =>
    it(String(version), () => expect(signingOf(version)).toBe(expected));
  check("3.2.4", "can");
  check("2.5.0", "can");
  check("2.5.0rc1", "can");
  check("2.10", "can");
  check("10", "can");
  check("2.4.9", "cannot");
  check("2", "cannot");
  check("0.0.1", "cannot");
  check("ringwall 0.1.0", "can");
  check("", "unknown");
  check("next", "unknown");
  check(null, "unknown");
});

describe("who would be refused", () => {
  const check = (versions: (string | null)[], expected: string | null) =>
    it(versions.join(", "), () => expect(refusedText(versions.map((agent_version) => ({ agent_version })))).toBe(expected));
  check([], null);
  check(["3.2.4", "2.5.0"], null);
  check(["2.4.0"], "Its agent is older than 2.5 and cannot sign: refused from then on.");
  check(["2.4.0", "1.0"], "All 2 agents are older than 2.5 and cannot sign: refused from then on.");
  check(["3.2.4", "1.0", null], "1 of its 3 agents is older than 2.5 and cannot sign: refused from then on.");
  check(["3.2.4", null], "Of 1 agent the version is not known; before 2.5 they cannot sign.");
});
