/** What somebody should know about a host agent: what it says of itself, judged. */

import type { Host, HostHealth } from "./api-types";
import { count, plural } from "./format";

export interface Finding {
  /** `bad`: events are lost or requests refused; `warn`: it may come to that, or less is seen. */
  level: "bad" | "warn";
  text: string;
}

/** From this share of its spool on an agent is about to drop. */
const SPOOL_FULL = 0.8;

/** How full the spool is, 0 to 1. */
export function spoolShare(health: Pick<HostHealth, "spool_bytes" | "spool_bytes_max">): number {
  if (health.spool_bytes_max <= 0) return 0;
  return Math.min(1, Math.max(0, health.spool_bytes / health.spool_bytes_max));
}

/** How many events of a host will never arrive: as the server counted, or as the agent last told. */
export function lostOf(host: Pick<Host, "events_lost" | "health">): number {
  return Math.max(host.events_lost ?? 0, host.health?.dropped ?? 0);
}

/** What to know of the agent of `host`, the worst first. */
export function findingsOf(host: Pick<Host, "online" | "identity" | "health" | "events_lost">): Finding[] {
  const found: Finding[] = [];
  const bad = (text: string) => found.push({ level: "bad", text });
  const warn = (text: string) => found.push({ level: "warn", text });
  const { identity = null, health = null } = host;
  if (identity?.state === "suspended") {
    bad("Its identity is suspended: two machines used it. Nothing it sends is taken until somebody reinstates it.");
  }
  if (identity?.state === "revoked") {
    bad("Its identity is revoked: nothing it sends is taken, and it gets no commands.");
  }
  const lost = lostOf(host);
  if (lost > 0) {
    bad(`${plural(lost, "event")} of this host ${lost === 1 ? "is" : "are"} lost: there was no room for ${lost === 1 ? "it" : "them"}, or ${lost === 1 ? "it was" : "they were"} refused.`);
  }
  if (health === null) return found;
  const share = spoolShare(health);
  if (share >= SPOOL_FULL) {
    warn(`Its spool is ${Math.round(share * 100)} % full: when there is no room left, events are dropped.`);
  } else if (!host.online && health.spool_events > 0) {
    warn(`${count(health.spool_events)} events waited on the host when it last told.`);
  }
  if (health.throttled === true) {
    warn("It slowed itself down to stay within its budget of processor time: pictures come less often.");
  }
  if (health.process_changes === "scan") {
    warn("It finds processes by looking again and again: those that live for less than that are missed. As root it is told by the kernel.");
  }
  if (health.connections === "none") warn("It sees no connections.");
  if (health.connections.endsWith(CUT)) {
    warn("The host has more connections open than the agent follows (20,000): the others are not seen.");
  }
  return found;
}

/** Stands behind the source of what is not complete. */
const CUT = ", cut";

const SOURCES: Record<string, string> = {
  process_connector: "told by the kernel (process connector)",
  scan: "by looking again and again",
  sock_diag: "asked of the kernel (sock_diag)",
  procfs: "read from /proc",
  none: "not at all",
};

/** How something is learned, in words. */
export function sourceText(name: string | null | undefined): string {
  if (name === null || name === undefined || name === "") return "–";
  if (name.endsWith(CUT)) return `${sourceText(name.slice(0, -CUT.length))}, not all`;
  return Object.hasOwn(SOURCES, name) ? (SOURCES[name] ?? name) : name.replaceAll("_", " ");
}
