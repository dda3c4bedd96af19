import { describe, expect, it } from "vitest";
import type { Identity } from "./api-types";
import { arrivals, enrolmentState, masked, nameFault } from "./enrolment";

const NOW = Date.parse("2026-11-21T16:00:00Z");

describe("an enrolment", () => {
  const check = (uses_left: number, expires: string, expected: string) =>
    it(expected, () => expect(enrolmentState({ uses_left, expires }, NOW)).toBe(expected));
  check(1, "2026-11-21T16:00:01Z", "open");
  check(1, "2026-11-21T16:00:00Z", "expired");
  check(0, "2026-11-21T17:00:00Z", "used up");

  it("names hosts by names that need no quotes", () => {
    for (const name of ["", "web-1", "9.example.com", "a".repeat(128)]) expect(nameFault(name)).toBeNull();
    for (const name of ["-web", "web 1", "wéb", "a/b", "$(id)", "a".repeat(129)]) {
      expect(nameFault(name), name).not.toBeNull();
    }
  });

  it("shows no token where it is only looked at", () => {
    const command = "echo rwe_5f2c-9d_A1 | ringwall-host-agent enrol --server http://127.0.0.1:7400 --token-file -";
    expect(masked(command)).not.toContain("5f2c");
    expect(masked(command)).toContain("| ringwall-host-agent enrol");
  });
});

describe("who comes with an enrolment", () => {
  const identity = (name: string, enrolled_by: string, enrolled: string) =>
    ({ name, enrolled_by, enrolled, hostname: `${name}.example`, address: "10.0.0.1" }) as Identity;
  const all = [
    identity("web-1", "one", "2026-11-21T15:00:00Z"),
    identity("web-2", "one", "2026-11-21T15:30:00.5Z"),
    identity("db-1", "other", "2026-11-21T15:30:00Z"),
  ];

  it("is only who enrolled with it, the latest first", () => {
    expect(arrivals("one", all, []).map((one) => one.name)).toEqual(["web-2", "web-1"]);
    expect(arrivals("nobody", all, [])).toEqual([]);
  });

  it("is here once it reported after it enrolled", () => {
    const hosts = [
      { id: "host-agent:web-1", last_seen: "2026-11-21T15:00:02Z" },
      // The machine before it reported, this one did not yet.
      { id: "host-agent:web-2", last_seen: "2026-11-21T15:29:59Z" },
      { id: "watcher:web-2", last_seen: "2026-11-21T15:59:59Z" },
    ];
    expect(arrivals("one", all, hosts).map((one) => one.host)).toEqual([null, "host-agent:web-1"]);
  });
});
