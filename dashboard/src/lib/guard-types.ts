/** The bodies of `/api/v1/guard`, as the server sends them. Times are RFC 3339 in UTC. */

import type { Severity } from "./api-types";

/** An application, or several that are guarded alike. */
export interface GuardProject {
  name: string;
  created: string;
  created_by: string;
  /** Whether it has a key that seals what its agents send. */
  encrypted: boolean;
  /** Whether it has a secret that signs. */
  signed: boolean;
  /** Whether what is not signed is refused. */
  require_signature?: boolean;
  /** Until when the key and the secrets before the latest are good. */
  previous_until?: string | null;
  agents: number;
  last_seen: string | null;
  events_24h: number;
  blocked_24h: number;
  rules_version: number;
  /** Why somebody should look at it. */
  warning: string | null;
}

export interface NewGuardProject {
  name: string;
  encryption: boolean;
  signing: boolean;
  /** Guards before 2.5 cannot sign. */
  require_signature: boolean;
}

/** What shall be other than it is. */
export interface GuardProjectChange {
  /** Needs a project that signs. */
  require_signature?: boolean;
}

/** What a project's agents need; told this once. */
export interface GuardSecrets {
  project: string;
  key: string;
  signing_secret: string | null;
  encryption_key: string | null;
}

/** One installation that reports to a project. */
export interface GuardAgent {
  install_id: string | null;
  address: string;
  agent_version: string | null;
  /** Of the middleware that it belongs to. */
  guard_version: string | null;
  guard_core_version: string | null;
  /** `healthy`, `degraded`, or what a newer agent says. */
  status: string | null;
  uptime_seconds: number | null;
  events_sent: number | null;
  events_failed: number | null;
  buffer_size: number | null;
  /** How many of its events will never arrive. */
  dropped: number | null;
  errors: string[];
  first_seen: string;
  last_seen: string;
  warning: string | null;
}

export interface GuardEvent {
  id: string;
  time: string;
  project: string;
  install_id: string | null;
  event_type: string;
  action: string | null;
  reason: string | null;
  address: string | null;
  country: string | null;
  user_agent: string | null;
  method: string | null;
  endpoint: string | null;
  status_code: number | null;
  response_time_ms: number | null;
  category: string | null;
  pattern: string | null;
  metadata: Record<string, unknown> | null;
}

export const GUARD_METRICS = [
  "request_count",
  "response_time",
  "error_rate",
  "bandwidth_usage",
  "threat_level",
  "block_rate",
  "cache_hit_rate",
] as const;
export type GuardMetric = (typeof GUARD_METRICS)[number];

/**
 * What the server counts itself, in the minute in which it happened: all events, and those that tell of a request
 * that was blocked. Without `endpoints`.
 */
export const GUARD_COUNTS = ["events", "blocked"] as const;
export type GuardCount = (typeof GUARD_COUNTS)[number];

export interface MetricPoint {
  time: string;
  count: number;
  sum: number;
  min: number;
  max: number;
}

export interface MetricEndpoint {
  endpoint: string;
  count: number;
  sum: number;
}

/** One metric over time, and by endpoint: those with the most. */
export interface GuardMetrics {
  project: string;
  metric: string;
  step_seconds: number;
  /** Steps without a value are left out. */
  points: MetricPoint[];
  endpoints: MetricEndpoint[];
}

/** Rules as they go over the wire: a flat object. What is left out is as the application says. */
export type Rules = Record<string, unknown>;

export interface GuardRules {
  project: string;
  version: number;
  rules: Rules;
  /** Whether they are past their own `expires_at`: then applications are told none of them. */
  expired: boolean;
  updated: string | null;
  updated_by: string | null;
  note: string | null;
  published: PublishedRules;
}

/** What applications are told: the rules, and the bans that hold. */
export interface PublishedRules {
  /** Grows with each edit and each ban; 0: nothing was told yet. */
  version: number;
  since: string | null;
  bans: number;
  /** How many of them found no room. */
  bans_left_out: number;
}

export interface RulesVersion {
  version: number;
  updated: string;
  updated_by: string;
  note: string | null;
  /** What changed, in a line. */
  summary: string;
}

export interface PreviewSample {
  time: string;
  address: string | null;
  method: string | null;
  endpoint: string | null;
  user_agent: string | null;
}

export interface PreviewEntry {
  /** Which field of the rules, and which of its entries. */
  field: string;
  entry: string;
  count: number;
  addresses: number;
  samples: PreviewSample[];
}

/** What rules would have blocked. */
export interface RulesPreview {
  hours: number;
  requests_seen: number;
  would_block: number;
  /** Whether not all of the time was looked through. */
  partial: boolean;
  by_rule: PreviewEntry[];
  /** Fields that are set, and of which what is stored tells nothing. */
  not_tried: string[];
}

export const BAN_STATES = ["active", "ended", "all"] as const;
export type BanState = (typeof BAN_STATES)[number];

export interface Ban {
  id: string;
  /** One address, or a network of them. */
  address: string;
  /** Null: all. */
  project: string | null;
  reason: string;
  /** `person`, `alert` or `app`. */
  origin: string;
  /** Whether the firewalls of hosts have it, too. */
  hosts: boolean;
  created: string;
  created_by: string;
  expires: string;
  ended: string | null;
  ended_by: string | null;
  alert: string | null;
  country: string | null;
}

export interface NewBan {
  address: string;
  seconds: number;
  project?: string;
  reason: string;
  hosts: boolean;
}

/** What makes an automatic rule count an address. */
export interface AutomaticTrigger {
  findings?: string[];
  event_types?: string[];
  min_severity?: Severity | null;
  threshold: number;
  window_seconds: number;
}

export interface AutomaticRule {
  name: string;
  enabled: boolean;
  when: AutomaticTrigger;
  ban_seconds: number;
  /** Where the ban holds; null: everywhere. */
  projects: string[] | null;
  hosts: boolean;
}

export interface Automatic {
  rules: AutomaticRule[];
  /** Whether a ban that one application made holds in all. */
  share_app_bans: boolean;
  /** Addresses and networks that nobody bans. */
  never_ban: string[];
}
