/** The bodies of `/api/v1`, as the server sends them. Times are RFC 3339 in UTC. */

export const SEVERITIES = ["informational", "low", "medium", "high", "critical"] as const;
export type Severity = (typeof SEVERITIES)[number];

export const ALERT_STATES = ["open", "acknowledged", "resolved"] as const;
export type AlertState = (typeof ALERT_STATES)[number];

export const COMMAND_STATES = [
  "queued",
  "delivered",
  "succeeded",
  "failed",
  "expired",
  "withdrawn",
] as const;
export type CommandState = (typeof COMMAND_STATES)[number];

export const COMMAND_ACTIONS = [
  "kill_process",
  "kill_tree",
  "stop_process",
  "continue_process",
  "collect_file",
  "quarantine_file",
  "restore_file",
  "block_address",
  "unblock_address",
] as const;
export type CommandAction = (typeof COMMAND_ACTIONS)[number];

export const EVENT_KINDS = [
  "process_started",
  "process_ended",
  "connection_opened",
  "connection_closed",
  "system_call",
  "http_request",
  "sign_in",
  "inventory",
  "agent_health",
  "events_lost",
  "app_guard",
] as const;

export const INDICATOR_KINDS = ["process", "path", "hash", "address", "domain"] as const;
export type IndicatorKind = (typeof INDICATOR_KINDS)[number];

export interface Page<T> {
  data: T[];
  /** Where the next page begins. One may follow a page that is short, even empty. */
  next_cursor?: string | null;
  /** How far back a page that is short was looked for, where the server says so. */
  searched_to?: string | null;
}

export interface Session {
  user: string;
  role: string;
  /** What they may do, by name. */
  permissions?: string[];
  csrf: string;
}

export interface SystemInfo {
  platform?: string | null;
  os?: string | null;
  kernel?: string | null;
  architecture?: string | null;
  cpu_count?: number | null;
  memory_total?: number | null;
  memory_available?: number | null;
  boot_time?: string | null;
  agent_version?: string | null;
}

export interface Host {
  id: string;
  dialect: string;
  name: string;
  hostname: string;
  online: boolean;
  first_seen: string;
  last_seen: string;
  processes: number;
  connections: number;
  open_alerts: number;
  risk_max: number | null;
  system: SystemInfo | null;
  events: number;
  /** How many of its events will never arrive: dropped for want of room, or refused for good. */
  events_lost?: number;
  /** Of its host agent, where it has one that enrolled. */
  identity?: HostIdentity | null;
  /** How its host agent is doing; null where it never told. */
  health?: HostHealth | null;
}

export const IDENTITY_STATES = ["active", "revoked", "suspended"] as const;
export type IdentityState = (typeof IDENTITY_STATES)[number];

export interface HostIdentity {
  state: IdentityState;
  key_id: string;
  enrolled: string;
}

/** How a host agent last said that it is doing. */
export interface HostHealth {
  version: string;
  started: string | null;
  rss_bytes: number;
  /** Of one core, since it told before. */
  cpu_percent: number;
  /** What it allows itself on average; null where it is not limited. */
  cpu_percent_max: number | null;
  /** Whether it slowed itself down since it told before, to stay within its budget. */
  throttled: boolean;
  /** `process_connector` or `scan`. */
  process_changes: string;
  /** `sock_diag`, `procfs` or `none`. */
  connections: string;
  spool_events: number;
  spool_bytes: number;
  spool_bytes_max: number;
  dropped: number;
  reported: string;
}

/** Leave for host agents to enrol; its token is told once, in `CreatedEnrolment`. */
export interface Enrolment {
  id: string;
  /** The name that the host gets; null lets it choose. */
  name: string | null;
  replaces?: string | null;
  created_by: string;
  created: string;
  expires: string;
  uses_left: number;
  used_by: string[];
}

export interface NewEnrolment {
  name?: string;
  uses?: number;
  expires_in_seconds?: number;
  replaces?: string;
}

export interface CreatedEnrolment {
  id: string;
  token: string;
  expires: string;
  command: string;
  server_fingerprint?: string | null;
}

/** A host agent that enrolled. */
export interface Identity {
  name: string;
  key_id: string;
  machine: string | null;
  hostname: string;
  state: IdentityState;
  enrolled: string;
  enrolled_by: string;
  rotated: string | null;
  last_used: string | null;
  address: string | null;
  version: string;
  /** Why somebody should look at it. */
  warning?: string | null;
}

export interface HostProcess {
  pid: number;
  start_time: string | null;
  name: string;
  parent_pid: number | null;
  user: string | null;
  executable: string | null;
  command_line: string | null;
  cpu_percent: number | null;
  memory_percent: number | null;
  first_seen: string | null;
  last_seen: string | null;
  risk_score: number | null;
  executable_sha256?: string | null;
  /** The container it runs in; null for a process of the host itself. */
  container?: Container | null;
}

export interface Container {
  uid: string;
  name: string | null;
  /** `docker`, `podman`, `containerd`, … */
  runtime: string;
  pod_uid?: string | null;
}

export interface Connection {
  protocol: string;
  local_address: string;
  local_port: number;
  remote_address: string | null;
  remote_port: number | null;
  status: string;
  pid: number | null;
  process_name: string | null;
}

export interface ProcessRef {
  pid: number;
  start_time: string | null;
  name: string;
}

export interface EventRow {
  id: string;
  time: string;
  received: string;
  source: string;
  host: string;
  severity: Severity;
  kind: string;
  pid: number | null;
  summary: string;
  ocsf: unknown;
}

/** What a command is aimed at; which of these follows from its action. */
export type CommandTarget =
  | ProcessRef
  | { path: string }
  | { quarantine_id: string }
  | { address: string; seconds?: number | null };

export interface CommandRow {
  id: string;
  source: string;
  /** One of `COMMAND_ACTIONS`, or what a newer server knows. */
  action: string;
  target: CommandTarget;
  reason: string;
  ordered_by: string;
  alert: string | null;
  state: CommandState;
  created: string;
  expires: string;
  delivered: string | null;
  finished: string | null;
  deliveries: number;
  result: string | null;
  /** The file that it brought, where it was to bring one and did. */
  file?: CollectedFile | null;
}

export interface CollectedFile {
  bytes: number;
  sha256: string;
  received: string;
  /** When the server gave it up for its age. */
  removed?: string | null;
}

export const FINDINGS = [
  "indicator_match",
  "new_process",
  "risk_threshold",
  "command_refused",
  "cloned_identity",
  "app_attack",
  "app_ban",
  "app_abuse",
  "app_emergency",
  "guard_key_shared",
  "guard_unreadable",
] as const;

export interface Finding {
  type: string;
  indicator?: string;
  value?: string;
  /** Of the client that it is about: one of a guarded application. */
  address?: string;
}

export interface AlertRow {
  id: string;
  finding: Finding;
  severity: Severity;
  state: AlertState;
  source: string;
  host: string;
  process: ProcessRef | null;
  title: string;
  reasons: string[];
  count: number;
  first_seen: string;
  last_seen: string;
  events: string[];
  kill_offered: boolean;
  note: string | null;
  commands?: CommandRow[];
}

export interface Score {
  process_id: string;
  source: string;
  host: string;
  pid: number;
  name: string;
  start_time: string | null;
  risk_score: number;
  anomaly_score: number | null;
  evidence_score: number;
  reasons: string[];
  calculated_at: string;
}

export interface TimelineMinute {
  minute: string;
  events: number;
  alerts: number;
}

export interface Overview {
  hosts: { total: number; online: number };
  events: { total: number; last_minute: number };
  alerts: { open: number; by_severity: Record<Severity, number> };
  commands: { open: number; succeeded_24h: number; failed_24h: number };
  timeline: TimelineMinute[];
  top_risk: Score[];
  recent_alerts: AlertRow[];
  server: {
    version: string;
    started: string;
    data_dir_bytes: number;
    intake: { queued: number; capacity: number };
  };
}

export interface Indicator {
  id: string;
  kind: IndicatorKind;
  value: string;
  action: "kill" | "alert";
  severity: Severity;
  origin: string;
  note: string | null;
  created: string;
  hits: number;
  last_hit: string | null;
}

export interface NewIndicator {
  kind: IndicatorKind;
  value: string;
  action?: "kill" | "alert";
  severity?: Severity;
  note?: string;
}

export interface ImportReport {
  added: number;
  unchanged: number;
  refused: { line: number; reason: string }[];
}

export interface AgentKey {
  id: string;
  kind: string;
  name: string;
  created: string | null;
  last_used: string | null;
  origin: string;
}

export interface CreatedKey {
  kind: string;
  id: string;
  secret: string;
}

export interface Token {
  id: string;
  name: string;
  role: string;
  /** What it is narrowed to; absent: all that its role includes. */
  scopes?: string[] | null;
  created: string | null;
  last_used?: string | null;
  expires?: string | null;
}

export interface CreatedToken {
  id: string;
  token: string;
}

export interface AuditRow {
  id: string;
  time: string;
  actor: string;
  action: string;
  subject: string;
  outcome: string;
  reason: string | null;
}

/** The counts, every two seconds. */
export interface Tick {
  events_total: number;
  events_last_minute: number;
  alerts_open: number;
  hosts_online: number;
}

export const TIMELINE_GROUPS = ["kind", "severity", "source", "none"] as const;

/** Counts of events by the moment of their receipt. */
export interface Timeline {
  step_seconds: number;
  since: string;
  until: string;
  by: (typeof TIMELINE_GROUPS)[number];
  /** Of each group, one count a step from `since` on. */
  series: { key: string; counts: number[] }[];
  total: number;
}

export interface StoreDay {
  /** Its beginning, in UTC. */
  day: string;
  events: number;
  /** Of the files that hold them; what still waits has none. */
  bytes: number;
}

/** What is kept, and how much room it takes. Times are those of receipt. */
export interface StoreStats {
  events: number;
  /** What was received and is not in the archive yet. */
  intake: { batches: number; events: number; waiting_since: string | null };
  archive: { files: number; events: number; bytes: number; bytes_per_event: number | null };
  database_bytes: number;
  oldest: string | null;
  newest: string | null;
  holds: number;
  /** Newest first; days without events are left out. */
  days: StoreDay[];
}

/** What retention must not touch. Bounds that are absent are open. */
export interface Hold {
  name: string;
  source: string | null;
  since: string | null;
  until: string | null;
  reason: string;
  created_by: string;
  created: string;
}

export interface NewHold {
  name: string;
  source?: string;
  since?: string;
  until?: string;
  reason: string;
}

/** Somebody who may sign in. */
export interface User {
  name: string;
  role: string;
  /** Whether they may not at the moment. */
  disabled: boolean;
  created: string;
  /** Null: it is the first. */
  password_changed: string | null;
  last_sign_in: string | null;
  /** How many of their sessions are open. */
  sessions: number;
}

export interface NewUser {
  name: string;
  role: string;
}

/** A password that was made is told this once. */
export interface MadePassword {
  name: string;
  password: string | null;
}

/** A browser that somebody is signed in with. */
export interface OpenSession {
  id: string;
  user: string;
  created: string;
  last_used: string;
  expires: string;
  address: string;
  /** Whether it is the one that asks. */
  current: boolean;
}

export const WEBHOOK_FORMATS = ["standard", "sysscore"] as const;
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

export const DELIVERY_STATES = ["pending", "failed", "success", "dead_letter"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** Where alerts are told. */
export interface Webhook {
  id: string;
  name: string;
  /** Its query, its password and what looks like a key in its path are left out. */
  url: string;
  format: WebhookFormat;
  min_severity: Severity | null;
  findings: string[];
  sources: string[];
  enabled: boolean;
  /** Why it is not enabled, where the server paused it. */
  paused_because: string | null;
  /** The SysScore agent whose registration named it. */
  agent: string | null;
  threshold: number | null;
  /** Whether the server's `HMAC_SECRET_KEY` signs. */
  shared_secret: boolean;
  /** Until when the secret before this one signs, too. */
  previous_secret_until: string | null;
  created: string;
  created_by: string;
  deliveries: Record<DeliveryState, number>;
}

export interface NewWebhook {
  name: string;
  url: string;
  format: WebhookFormat;
  min_severity?: Severity;
  findings?: string[];
  sources?: string[];
  enabled: boolean;
}

export interface WebhookChange {
  name?: string;
  url?: string;
  min_severity?: Severity | null;
  findings?: string[];
  sources?: string[];
  enabled?: boolean;
}

export interface CreatedWebhook {
  id: string;
  secret: string | null;
  webhook: Webhook;
}

export interface WebhookSecret {
  id: string;
  secret: string;
  previous_until: string | null;
}

/** A message to one receiver, and how far it is. */
export interface Delivery {
  id: string;
  webhook: string;
  event_type: string;
  /** The id of the alert that it tells; the webhook's for a test. */
  subject: string;
  state: DeliveryState;
  attempts: number;
  next_attempt: string | null;
  created: string;
  finished: string | null;
  last_error: string | null;
}

export interface DeliveryAttempt {
  at: string;
  /** Of the answer, where there was one. */
  status: number | null;
  error: string | null;
  duration_ms: number;
  /** The beginning of the answer's body. */
  answer: string;
}

export interface DeliveryDetail extends Omit<Delivery, "attempts"> {
  /** The latest, oldest first. */
  attempts: DeliveryAttempt[];
  payload: unknown;
}
