/** What application guards report, in words: the types, what was done, and why. */

import type { Fact } from "./event-facts";
import { endpoint, words } from "./format";
import type { GuardEvent } from "./guard-types";

/** The types that guards are known to send, under what they are about. There may be others. */
export const GUARD_EVENT_GROUPS: readonly { name: string; types: readonly string[] }[] = [
  {
    name: "Attacks",
    types: [
      "penetration_attempt",
      "pattern_detected",
      "suspicious_request",
      "behavioral_violation",
      "custom_rule_triggered",
      "csp_violation",
    ],
  },
  {
    name: "Refused",
    types: [
      "ip_blocked",
      "country_blocked",
      "cloud_blocked",
      "user_agent_blocked",
      "rate_limited",
      "access_denied",
      "authentication_failed",
      "content_filtered",
      "decorator_violation",
      "dynamic_rule_violation",
      "custom_request_check",
      "emergency_mode_block",
      "https_enforced",
    ],
  },
  { name: "Bans", types: ["ip_banned", "ip_unbanned", "ip_ban_failed"] },
  {
    name: "Rules",
    types: [
      "dynamic_rule_updated",
      "dynamic_rule_applied",
      "emergency_mode_activated",
      "pattern_added",
      "pattern_removed",
    ],
  },
  {
    name: "Housekeeping",
    types: [
      "security_bypass",
      "path_excluded",
      "route_unresolved",
      "security_headers_applied",
      "geo_lookup_failed",
      "decoding_error",
      "detection_engine_callback_error",
      "pattern_anomaly_slow_execution",
      "pattern_anomaly_timeout",
      "pattern_anomaly_statistical_anomaly",
      "rate_limit_script_reloaded",
      "redis_connection",
      "redis_error",
      "config_violation",
      "protocol_violation",
    ],
  },
];

export const GUARD_EVENT_TYPES: readonly string[] = GUARD_EVENT_GROUPS.flatMap((group) => group.types);

const NAMES: Record<string, string> = {
  ip_banned: "address banned",
  ip_unbanned: "address unbanned",
  ip_blocked: "address blocked",
  ip_ban_failed: "ban failed",
  penetration_attempt: "attack",
  cloud_blocked: "cloud blocked",
  https_enforced: "sent to HTTPS",
  csp_violation: "content policy violated",
};

/** `rate_limited` → `rate limited`. */
export function guardEventName(type: string): string {
  return Object.hasOwn(NAMES, type) ? (NAMES[type] ?? "") : words(type);
}

/** What came of a request: it was let through, refused, or its sender banned. */
export type Outcome = "banned" | "refused" | "noted";

const REFUSALS = new Set([
  "request_blocked",
  "blocked",
  "block",
  "throttle",
  "throttled",
  "https_redirect",
  "denied",
  "rate_limited",
]);

/** What the guard did, by what it says that it did. */
export function outcomeOf(event: Pick<GuardEvent, "action" | "event_type">): Outcome {
  const action = event.action ?? "";
  if (action === "banned" || action === "ban" || event.event_type === "ip_banned") return "banned";
  return REFUSALS.has(action) ? "refused" : "noted";
}

/** What matters about an event, with what its metadata explain. */
export function guardFacts(event: GuardEvent): Fact[] {
  const facts: Fact[] = [];
  const add = (name: string, value: unknown, mono = false) => {
    const text = textOf(value);
    if (text !== null) facts.push({ name, text, mono });
  };
  const data = event.metadata ?? {};
  const own = (name: string): unknown => (Object.hasOwn(data, name) ? data[name] : null);
  add("Why", event.reason);
  const explanation = own("explanation") ?? own("trigger_info");
  if (explanation !== event.reason) add("Explanation", explanation);
  add("Category", event.category ?? own("category") ?? own("violation_category"));
  add("Found in", own("context"), true);
  add("What was there", own("content_preview") ?? own("excerpt"), true);
  add("Pattern", event.pattern ?? own("pattern"), true);
  add("Score", own("threat_score") ?? own("guard.threat_score"));
  add("Limit", limitOf(own("rate_limit") ?? own("limit") ?? own("threshold"), own("window")));
  add("Counted", own("request_count"));
  add("Banned for", secondsOf(own("duration")));
  add("Cloud", own("cloud_provider"));
  add("Network", own("network"), true);
  add("Rule", own("rule_type") ?? own("filter_type") ?? own("violation_type"));
  add("Done", event.action === null ? null : words(event.action));
  return facts;
}

/** Whether there is more than its own fields. */
export function hasMetadata(event: Pick<GuardEvent, "metadata">): boolean {
  return Object.keys(event.metadata ?? {}).length > 0;
}

/** The request that it is about, in a line: `GET /login`. */
export function requestText(event: Pick<GuardEvent, "method" | "endpoint">): string {
  return [event.method, event.endpoint].filter((part) => part !== null && part !== "").join(" ");
}

/** The source that the events of a project have. */
export function sourceOf(project: string): string {
  return `${GUARD_PREFIX}${project}`;
}

/** The project of a source; null where it is none of a guarded application. */
export function projectOf(source: string): string | null {
  return source.startsWith(GUARD_PREFIX) ? source.slice(GUARD_PREFIX.length) : null;
}

const GUARD_PREFIX = "guard:";

/** Whether an event names a client that can be banned. */
export function bannable(event: Pick<GuardEvent, "address">): string | null {
  const address = event.address ?? "";
  return address === "" || address === "system" ? null : endpoint(address, null).replace(/^\[|\]$/g, "");
}

function textOf(value: unknown): string | null {
  if (typeof value === "string") return value === "" ? null : value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return null;
}

function limitOf(limit: unknown, window: unknown): string | null {
  const most = textOf(limit);
  const within = textOf(window);
  if (most === null) return null;
  return within === null ? most : `${most} in ${within} s`;
}

function secondsOf(value: unknown): string | null {
  return typeof value === "number" ? `${value} s` : textOf(value);
}
