/** The typed client of `/api/v1`: one function an operation, one error type. */

import type {
  AgentKey,
  AlertRow,
  AuditRow,
  CommandAction,
  CommandRow,
  CommandTarget,
  Connection,
  CreatedEnrolment,
  CreatedKey,
  CreatedToken,
  CreatedWebhook,
  Delivery,
  DeliveryDetail,
  Enrolment,
  EventRow,
  Hold,
  Host,
  HostProcess,
  Identity,
  ImportReport,
  Indicator,
  MadePassword,
  NewEnrolment,
  NewHold,
  NewIndicator,
  NewUser,
  NewWebhook,
  OpenSession,
  Overview,
  Page,
  Score,
  Session,
  StoreStats,
  Timeline,
  Token,
  User,
  Webhook,
  WebhookChange,
  WebhookSecret,
} from "./api-types";
import { readNdjson } from "./ndjson";

/** One thing that was wrong with a request, and where: a JSON pointer into the body, or a parameter. */
export interface FieldFault {
  place: string;
  detail: string;
}

/** Why a request gave no answer to use: what the problem body says, or that no answer came. */
export class ApiError extends Error {
  constructor(
    /** The HTTP status; 0 where no answer came at all. */
    readonly status: number,
    /** The problem's title. */
    readonly title: string,
    /** What was wrong this time. */
    readonly detail: string,
    /** Seconds to wait before the next try, where the server says so. */
    readonly retryAfterSeconds: number | null = null,
    /** What to quote when asking for help. */
    readonly correlationId: string | null = null,
    /** A way out, where the server knows one. */
    readonly hint: string | null = null,
    /** What was wrong where, as the problem lists it. */
    readonly fields: readonly FieldFault[] = [],
  ) {
    super((detail || title) + (hint === null ? "" : `. ${hint}`));
    this.name = "ApiError";
  }

  get isUnreachable(): boolean {
    return this.status === 0;
  }
}

/** What to tell the reader about `cause`. */
export function messageOf(cause: unknown): string {
  return cause instanceof ApiError ? cause.message : String(cause);
}

type Query = Record<string, string | number | null | undefined>;

let csrf: string | null = null;
let whenSignedOut: () => void = () => {};

/** The value that cookie-authenticated changes carry; it comes with the session. */
export function useCsrf(value: string | null): void {
  csrf = value;
}

/** Called whenever the server says that nobody is signed in. */
export function onSignedOut(callback: () => void): void {
  whenSignedOut = callback;
}

/** A path below `/api/v1` with its query; empty values are left out. */
export function apiPath(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return `/api/v1${path}${text === "" ? "" : `?${text}`}`;
}

interface Options {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  query?: Query;
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** The sign-in page asks whether somebody is signed in; a 401 is then an answer, not an event. */
  quiet?: boolean;
}

/** Asks, and gives the answer where it is a good one; its body is not read yet. */
async function send(path: string, options: Options, accept: string): Promise<Response> {
  const method = options.method ?? "GET";
  const headers: Record<string, string> = { Accept: accept };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrf !== null) headers["X-Ringwall-CSRF"] = csrf;
  let response: Response;
  try {
    response = await fetch(apiPath(path, options.query), {
      method,
      headers,
      credentials: "same-origin",
      cache: "no-store",
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError(0, "No answer", "The server did not answer. It may be stopped or restarting.");
  }
  if (!response.ok) {
    const error = await readProblem(response);
    if (error.status === 401 && options.quiet !== true) whenSignedOut();
    throw error;
  }
  return response;
}

export async function request<T>(path: string, options: Options = {}): Promise<T> {
  const response = await send(path, options, "application/json");
  if (response.status === 204) return undefined as T;
  try {
    return (await response.json()) as T;
  } catch {
    throw new ApiError(response.status, "Unreadable answer", "The server's answer is not JSON.");
  }
}

/** The error behind an answer: RFC 9457 where the body is that, the status otherwise. */
export async function readProblem(response: Response): Promise<ApiError> {
  let title = response.statusText || `HTTP ${response.status}`;
  let detail = "";
  let correlationId: string | null = null;
  let way: string | null = null;
  const fields: FieldFault[] = [];
  try {
    const body = (await response.json()) as Record<string, unknown>;
    if (typeof body["title"] === "string") title = body["title"];
    if (typeof body["detail"] === "string") detail = body["detail"];
    if (typeof body["correlation_id"] === "string") correlationId = body["correlation_id"];
    const { errors, hint } = body;
    if (Array.isArray(errors) && errors.length > 0) {
      const described = errors.map(describeFieldError).join("; ");
      detail = detail === "" || errors.length === 1 ? described : `${detail}: ${described}`;
      for (const { pointer, parameter, detail: wrong } of errors.filter(isObject)) {
        fields.push({ place: String(pointer ?? parameter ?? "").replace(/^#/, ""), detail: String(wrong ?? "") });
      }
    }
    if (typeof hint === "string" && hint !== "") way = hint;
  } catch {
    // Not a problem body: a proxy in between, or a server that is going down.
  }
  const wait = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new ApiError(
    response.status,
    title,
    detail,
    Number.isFinite(wait) ? wait : null,
    correlationId,
    way,
    fields,
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function describeFieldError(error: unknown): string {
  if (typeof error === "string") return error;
  if (!isObject(error)) return String(error);
  const { pointer, parameter, detail } = error;
  const place = parameter ?? (typeof pointer === "string" ? pointer.replace(/^#\//, "") : null);
  const text = String(detail ?? JSON.stringify(error));
  return typeof place === "string" && place !== "" ? `${place} ${text}` : text;
}

const id = encodeURIComponent;

export interface PageQuery extends Query {
  limit?: number;
  cursor?: string | null;
}

/** What a query may take. */
export interface QueryLimits {
  row_limit: number;
  time_limit_ms: number;
}

export const api = {
  session: {
    read: () => request<Session>("/session", { quiet: true }),
    signIn: (user: string, password: string) =>
      request<Session>("/session", { method: "POST", body: { user, password }, quiet: true }),
    signOut: () => request<void>("/session", { method: "DELETE", quiet: true }),
    changePassword: (current: string, next: string) =>
      request<void>("/session/password", { method: "POST", body: { current, new: next } }),
  },
  sessions: {
    /** Those of `user`, of everybody where that is `*`, one's own where it is null. */
    list: (user: string | null, signal?: AbortSignal) =>
      request<Page<OpenSession>>("/sessions", { query: { user }, signal }),
    /** All of one's own but the one that asks. */
    endOthers: () => request<void>("/sessions", { method: "DELETE" }),
    end: (session: string) => request<void>(`/sessions/${id(session)}`, { method: "DELETE" }),
  },
  users: {
    list: (signal?: AbortSignal) => request<Page<User>>("/users", { signal }),
    add: (user: NewUser) => request<MadePassword>("/users", { method: "POST", body: user }),
    change: (name: string, change: { role?: string; disabled?: boolean }) =>
      request<User>(`/users/${id(name)}`, { method: "PATCH", body: change }),
    /** Makes another password, which is told this once. */
    resetPassword: (name: string) =>
      request<MadePassword>(`/users/${id(name)}/password`, { method: "POST", body: {} }),
    remove: (name: string) => request<void>(`/users/${id(name)}`, { method: "DELETE" }),
  },
  enrolments: {
    list: (signal?: AbortSignal) => request<Page<Enrolment>>("/enrolments", { signal }),
    add: (enrolment: NewEnrolment) =>
      request<CreatedEnrolment>("/enrolments", { method: "POST", body: enrolment }),
    withdraw: (enrolment: string) =>
      request<void>(`/enrolments/${id(enrolment)}`, { method: "DELETE" }),
  },
  identities: {
    list: (signal?: AbortSignal) => request<Page<Identity>>("/identities", { signal }),
    revoke: (name: string, reason: string) =>
      request<Identity>(`/identities/${id(name)}/revoke`, { method: "POST", body: { reason } }),
    reinstate: (name: string, reason: string) =>
      request<Identity>(`/identities/${id(name)}/reinstate`, { method: "POST", body: { reason } }),
    forget: (name: string) => request<void>(`/identities/${id(name)}`, { method: "DELETE" }),
  },
  webhooks: {
    list: (signal?: AbortSignal) => request<Page<Webhook>>("/webhooks", { signal }),
    read: (webhook: string, signal?: AbortSignal) =>
      request<Webhook>(`/webhooks/${id(webhook)}`, { signal }),
    add: (webhook: NewWebhook) =>
      request<CreatedWebhook>("/webhooks", { method: "POST", body: webhook }),
    change: (webhook: string, change: WebhookChange) =>
      request<Webhook>(`/webhooks/${id(webhook)}`, { method: "PATCH", body: change }),
    remove: (webhook: string) => request<void>(`/webhooks/${id(webhook)}`, { method: "DELETE" }),
    test: (webhook: string) =>
      request<Delivery>(`/webhooks/${id(webhook)}/test`, { method: "POST", body: {} }),
    replay: (webhook: string) =>
      request<{ replayed: number; left: number }>(`/webhooks/${id(webhook)}/replay`, {
        method: "POST",
        body: {},
      }),
    rotateSecret: (webhook: string) =>
      request<WebhookSecret>(`/webhooks/${id(webhook)}/rotate-secret`, { method: "POST", body: {} }),
  },
  deliveries: {
    list: (query: PageQuery, signal?: AbortSignal) =>
      request<Page<Delivery>>("/deliveries", { query, signal }),
    read: (delivery: string, signal?: AbortSignal) =>
      request<DeliveryDetail>(`/deliveries/${id(delivery)}`, { signal }),
    replay: (delivery: string) =>
      request<Delivery>(`/deliveries/${id(delivery)}/replay`, { method: "POST", body: {} }),
  },
  overview: (signal?: AbortSignal) => request<Overview>("/overview", { signal }),
  hosts: {
    list: (query: PageQuery, signal?: AbortSignal) =>
      request<Page<Host>>("/hosts", { query, signal }),
    read: (host: string, signal?: AbortSignal) => request<Host>(`/hosts/${id(host)}`, { signal }),
    processes: (host: string, signal?: AbortSignal) =>
      request<Page<HostProcess>>(`/hosts/${id(host)}/processes`, { signal }),
    connections: (host: string, signal?: AbortSignal) =>
      request<Page<Connection>>(`/hosts/${id(host)}/connections`, { signal }),
  },
  events: {
    list: (query: PageQuery, signal?: AbortSignal) =>
      request<Page<EventRow>>("/events", { query, signal }),
    read: (event: string, signal?: AbortSignal) =>
      request<EventRow>(`/events/${id(event)}`, { signal }),
  },
  alerts: {
    list: (query: PageQuery, signal?: AbortSignal) =>
      request<Page<AlertRow>>("/alerts", { query, signal }),
    read: (alert: string, signal?: AbortSignal) =>
      request<AlertRow>(`/alerts/${id(alert)}`, { signal }),
    acknowledge: (alert: string, note: string) =>
      request<AlertRow>(`/alerts/${id(alert)}/acknowledge`, { method: "POST", body: noted(note) }),
    resolve: (alert: string, note: string) =>
      request<AlertRow>(`/alerts/${id(alert)}/resolve`, { method: "POST", body: noted(note) }),
    kill: (alert: string, reason: string) =>
      request<CommandRow>(`/alerts/${id(alert)}/kill`, {
        method: "POST",
        body: reason.trim() === "" ? {} : { reason: reason.trim() },
      }),
  },
  commands: {
    list: (query: PageQuery, signal?: AbortSignal) =>
      request<Page<CommandRow>>("/commands", { query, signal }),
    read: (command: string, signal?: AbortSignal) =>
      request<CommandRow>(`/commands/${id(command)}`, { signal }),
    order: (host: string, action: CommandAction, target: CommandTarget, reason: string) =>
      request<CommandRow>("/commands", {
        method: "POST",
        body: { host, action, target: known(target), reason },
      }),
    /** Where a collected file is had; the browser downloads it by itself. */
    filePath: (command: string) => apiPath(`/commands/${id(command)}/file`),
    withdraw: (command: string) =>
      request<CommandRow>(`/commands/${id(command)}/withdraw`, { method: "POST", body: {} }),
  },
  scores: (query: PageQuery, signal?: AbortSignal) =>
    request<Page<Score>>("/scores", { query, signal }),
  indicators: {
    list: (signal?: AbortSignal) => request<Page<Indicator>>("/indicators", { signal }),
    add: (indicator: NewIndicator) =>
      request<Indicator>("/indicators", { method: "POST", body: indicator }),
    importText: (kind: string, text: string, action: string, severity: string) =>
      request<ImportReport>("/indicators/import", {
        method: "POST",
        body: { kind, text, action, severity },
      }),
    remove: (indicator: string) =>
      request<void>(`/indicators/${id(indicator)}`, { method: "DELETE" }),
  },
  keys: {
    list: (signal?: AbortSignal) => request<Page<AgentKey>>("/keys", { signal }),
    create: (kind: string, name: string) =>
      request<CreatedKey>("/keys", { method: "POST", body: { kind, name } }),
    remove: (kind: string, name: string) =>
      request<void>(`/keys/${id(kind)}/${id(name)}`, { method: "DELETE" }),
  },
  tokens: {
    list: (signal?: AbortSignal) => request<Page<Token>>("/tokens", { signal }),
    create: (token: { name: string; role: string; scopes?: string[]; expires_in_days?: number }) =>
      request<CreatedToken>("/tokens", { method: "POST", body: token }),
    remove: (token: string) => request<void>(`/tokens/${id(token)}`, { method: "DELETE" }),
  },
  audit: (query: PageQuery, signal?: AbortSignal) =>
    request<Page<AuditRow>>("/audit", { query, signal }),
  timeline: (query: Query, signal?: AbortSignal) =>
    request<Timeline>("/timeline", { query, signal }),
  store: (signal?: AbortSignal) => request<StoreStats>("/store", { signal }),
  holds: {
    list: (signal?: AbortSignal) => request<Page<Hold>>("/holds", { signal }),
    add: (hold: NewHold) => request<Hold>("/holds", { method: "POST", body: hold }),
    remove: (name: string) => request<void>(`/holds/${id(name)}`, { method: "DELETE" }),
  },
  /** Runs SQL. The answer comes line by line; whoever aborts `signal` ends the query too. */
  query: async (sql: string, limits: QueryLimits, signal: AbortSignal) => {
    const body = { sql, ...limits, format: "ndjson" };
    const options: Options = { method: "POST", body, signal };
    const response = await send("/query", options, "application/x-ndjson");
    if (response.body === null) {
      throw new ApiError(response.status, "Unreadable answer", "The server's answer is empty.");
    }
    return readNdjson(response.body);
  },
};

/** A start time that is not known is left out: the server takes it from the host's picture. */
function known(target: CommandTarget): object {
  if (!("pid" in target) || target.start_time !== null) return target;
  return { pid: target.pid, name: target.name };
}

function noted(note: string): { note?: string } {
  return note.trim() === "" ? {} : { note: note.trim() };
}
