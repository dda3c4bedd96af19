import { describe, expect, it } from "vitest";
import type { Host, HostHealth } from "./api-types";
import { findingsOf, sourceText, spoolShare } from "./agent-health";

const WELL: HostHealth = {
  version: "0.1.0",
  started: "2026-11-21T12:00:00Z",
  rss_bytes: 6_291_456,
  cpu_percent: 0.2,
  cpu_percent_max: 5,
  throttled: false,
  process_changes: "process_connector",
  connections: "sock_diag",
  spool_events: 0,
  spool_bytes: 0,
  spool_bytes_max: 64 * 1024 * 1024,
  dropped: 0,
  reported: "2026-11-21T15:59:50Z",
};
const ACTIVE = { state: "active", key_id: "56475aa75463474c", enrolled: "2026-11-21T12:00:00Z" } as const;

describe("a host agent", () => {
  const check = (
    name: string,
    health: Partial<HostHealth> | null,
    expected: RegExp[],
    host: Partial<Pick<Host, "online" | "identity" | "events_lost">> = {},
  ) =>
    it(name, () => {
      const found = findingsOf({
        online: true,
        identity: ACTIVE,
        health: health === null ? null : { ...WELL, ...health },
        ...host,
      });
      expect(found.map((one) => `${one.level}: ${one.text}`)).toEqual(
        expected.map((pattern) => expect.stringMatching(pattern)),
      );
    });
  check("that is well has nothing said of it", {}, []);
  check("that never told has nothing said of it", null, []);
  check("that dropped events lost them", { dropped: 1 }, [/^bad: 1 event of this host is lost/]);
  check("that never told may have lost some all the same", null, [/^bad: 7 events/], { events_lost: 7 });
  check("is not counted twice", { dropped: 5 }, [/^bad: 7 events/], { events_lost: 7 });
  check("with a full spool is about to drop", { spool_bytes: 60 * 1024 * 1024 }, [/^warn: .*94 % full/]);
  check("with half a spool is fine while it is there", { spool_bytes: 32 * 1024 * 1024, spool_events: 9 }, []);
  check("that is silent has what waited", { spool_events: 1200 }, [/^warn: 1,200 events/], { online: false });
  check("that looks misses what is short", { process_changes: "scan" }, [/^warn: .*looking/]);
  check("that sees no connections says so", { connections: "none" }, [/^warn: It sees no/]);
  check("that leaves connections out says so", { connections: "sock_diag, cut" }, [/^warn: .*more connections/]);
  check("that is throttled says so", { throttled: true }, [/^warn: It slowed/]);
  check("that is suspended comes first", { dropped: 3 }, [/^bad: .*two machines/, /^bad: 3 events of this host are lost/], {
    identity: { ...ACTIVE, state: "suspended" },
  });
  check("that is revoked is shut out", {}, [/^bad: .*revoked/], { identity: { ...ACTIVE, state: "revoked" } });
});

describe("how full a spool is", () => {
  const check = (spool_bytes: number, spool_bytes_max: number, expected: number) =>
    it(`${spool_bytes} of ${spool_bytes_max}`, () =>
      expect(spoolShare({ spool_bytes, spool_bytes_max })).toBe(expected));
  check(0, 100, 0);
  check(50, 100, 0.5);
  check(150, 100, 1);
  check(5, 0, 0);
});

describe("how something is learned", () => {
  it("is in words, also where it is new here", () => {
    expect(sourceText("sock_diag")).toContain("kernel");
    expect(sourceText("procfs, cut")).toBe("read from /proc, not all");
    expect(sourceText("ring_buffer")).toBe("ring buffer");
    expect(sourceText("constructor")).toBe("constructor");
    expect(sourceText(null)).toBe("–");
  });
});
