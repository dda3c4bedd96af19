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
  /** How its host agent last said that it is doing. */
  health?: HostHealth | null;
}

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

export interface Container {
  uid: string;
  name: string | null;
  runtime: string;
  pod_uid: string | null;
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
  container?: Container | null;
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

export interface Finding {
  type: string;
  indicator?: string;
  value?: string;
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
  server_public_key?: string | null;
}

export interface Token {
  id: string;
  name: string;
  role: string;
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
