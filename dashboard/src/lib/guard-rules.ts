/**
 * The rules of a project as a form: every field as somebody writes it, into the flat object of the wire and
 * back. The server looks at all of it again; what is found here is found before anything is sent.
 */

import { isNetwork } from "./addresses";
import type { FieldFault } from "./api";
import { isoOf, localOf, momentOf } from "./event-filter";
import { plural } from "./format";
import type { Rules } from "./guard-types";

export const LIST_FIELDS = [
  "ip_blacklist",
  "ip_whitelist",
  "blocked_countries",
  "whitelist_countries",
  "blocked_user_agents",
  "suspicious_patterns",
  "emergency_whitelist",
] as const;
export type ListField = (typeof LIST_FIELDS)[number];

export const NUMBER_FIELDS = [
  "ip_ban_duration",
  "global_rate_limit",
  "global_rate_window",
  "auto_ban_threshold",
  "auto_ban_duration",
  "ttl",
] as const;
export type NumberField = (typeof NUMBER_FIELDS)[number];

export const SWITCH_FIELDS = [
  "enable_penetration_detection",
  "enable_ip_banning",
  "enable_rate_limiting",
  "enable_rate_limit_auto_ban",
] as const;
export type SwitchField = (typeof SWITCH_FIELDS)[number];

export const CLOUD_PROVIDERS = ["AWS", "GCP", "Azure", "DigitalOcean", "Linode", "Vultr"] as const;

/** What each field is called on the page. */
export const FIELD_NAMES: Record<string, string> = {
  ip_blacklist: "Banned addresses",
  ip_whitelist: "Unbanned addresses",
  ip_ban_duration: "Ban lasts",
  blocked_countries: "Blocked countries",
  whitelist_countries: "Only these countries",
  global_rate_limit: "Requests of one address",
  global_rate_window: "Within",
  endpoint_rate_limits: "Limits of endpoints",
  blocked_cloud_providers: "Blocked clouds",
  blocked_user_agents: "Blocked user agents",
  suspicious_patterns: "Suspicious patterns",
  enable_penetration_detection: "Detection of attacks",
  enable_ip_banning: "Bans",
  enable_rate_limiting: "Rate limits",
  enable_rate_limit_auto_ban: "Bans for exceeded limits",
  auto_ban_threshold: "Attacks until a ban",
  auto_ban_duration: "Automatic ban lasts",
  emergency_mode: "Emergency mode",
  emergency_whitelist: "Still let in",
  emergency_whitelist_only: "Only the listed addresses",
  message: "Message",
  expires_at: "Rules expire",
  ttl: "Asked for again after",
};

export function fieldName(field: string): string {
  return field === "" ? "The rules as a whole" : (FIELD_NAMES[field] ?? field);
}

export interface EndpointLimit {
  path: string;
  requests: string;
  seconds: string;
}

/** A switch that is not set is as the application has it. */
export type SwitchDraft = "" | "on" | "off";

/** The form: texts as they are written, one entry a line in lists. */
export interface RulesDraft {
  lists: Record<ListField, string>;
  numbers: Record<NumberField, string>;
  switches: Record<SwitchField, SwitchDraft>;
  providers: string[];
  /** Clouds with a region left out, `GCP:!europe-west1`, one a line. */
  regions: string;
  endpoints: EndpointLimit[];
  emergency_mode: boolean;
  emergency_whitelist_only: boolean;
  message: string;
  /** As `datetime-local` fields have it; empty: never. */
  expires_at: string;
  /** What this page has no field for; it is sent back as it came. */
  other: Rules;
}

const OWN_FIELDS: ReadonlySet<string> = new Set(Object.keys(FIELD_NAMES));

/** The form that shows `rules`. */
export function draftOf(rules: Rules): RulesDraft {
  const providers = textsOf(rules["blocked_cloud_providers"]);
  const isProvider = (one: string) => (CLOUD_PROVIDERS as readonly string[]).includes(one);
  const expires = rules["expires_at"];
  return {
    lists: fromNames(LIST_FIELDS, (field) => textsOf(rules[field]).join("\n")),
    numbers: fromNames(NUMBER_FIELDS, (field) => textOfNumber(rules[field])),
    switches: fromNames(SWITCH_FIELDS, (field): SwitchDraft =>
      rules[field] === true ? "on" : rules[field] === false ? "off" : "",
    ),
    providers: providers.filter(isProvider),
    regions: providers.filter((one) => !isProvider(one)).join("\n"),
    endpoints: endpointsOf(rules["endpoint_rate_limits"]),
    emergency_mode: rules["emergency_mode"] === true,
    emergency_whitelist_only: rules["emergency_whitelist_only"] === true,
    message: typeof rules["message"] === "string" ? rules["message"] : "",
    expires_at: typeof expires === "string" ? localOf(expires) : "",
    other: Object.fromEntries(Object.entries(rules).filter(([field]) => !OWN_FIELDS.has(field))),
  };
}

/** What is wrong, by the field; a field may have several faults. */
export type Faults = Record<string, string[]>;

/** The rules that the form means, and what is wrong with it; what is empty is left out. */
export function rulesOf(draft: RulesDraft): { rules: Rules; faults: Faults } {
  const rules: Rules = { ...draft.other };
  const faults: Faults = {};
  const fault = (field: string, text: string) => (faults[field] ??= []).push(text);

  for (const field of LIST_FIELDS) {
    const entries = entriesOf(draft.lists[field]);
    for (const [at, entry] of entries.entries()) {
      const wrong = entryFault(field, entry);
      if (wrong !== null) fault(field, `Entry ${at + 1}, ${quoted(entry)}: ${wrong}`);
    }
    const list = field.endsWith("countries") ? entries.map((entry) => entry.toUpperCase()) : entries;
    if (list.length > 0) rules[field] = [...new Set(list)];
  }
  for (const field of NUMBER_FIELDS) {
    const text = draft.numbers[field].trim();
    if (text === "") continue;
    const value = wholeNumber(text);
    if (value === null) fault(field, "A whole number, 1 or more.");
    else rules[field] = value;
  }
  if (draft.numbers.global_rate_window.trim() !== "" && draft.numbers.global_rate_limit.trim() === "") {
    fault("global_rate_window", "A window says nothing without a number of requests.");
  }
  for (const field of SWITCH_FIELDS) {
    if (draft.switches[field] !== "") rules[field] = draft.switches[field] === "on";
  }

  const regions = entriesOf(draft.regions);
  for (const entry of regions) {
    if (!/^[A-Za-z]+:![a-z0-9-]+$/.test(entry)) {
      fault("blocked_cloud_providers", `${quoted(entry)}: a cloud and a region that is let through, such as GCP:!europe-west1.`);
    }
  }
  const providers = [...draft.providers, ...regions];
  if (providers.length > 0) rules["blocked_cloud_providers"] = [...new Set(providers)];

  const limits: Record<string, [number, number]> = {};
  for (const { path, requests, seconds } of draft.endpoints) {
    if (path.trim() === "" && requests.trim() === "" && seconds.trim() === "") continue;
    const where = path.trim();
    const [most, window] = [wholeNumber(requests.trim()), wholeNumber(seconds.trim())];
    if (!where.startsWith("/")) fault("endpoint_rate_limits", `${quoted(where)}: a path begins with a slash.`);
    else if (Object.hasOwn(limits, where)) fault("endpoint_rate_limits", `${quoted(where)} is there twice.`);
    if (most === null || window === null) {
      fault("endpoint_rate_limits", `${quoted(where)}: requests and seconds are whole numbers, 1 or more.`);
    } else limits[where] = [most, window];
  }
  if (Object.keys(limits).length > 0) rules["endpoint_rate_limits"] = limits;

  if (draft.emergency_mode) rules["emergency_mode"] = true;
  if (draft.emergency_whitelist_only) rules["emergency_whitelist_only"] = true;
  if (draft.message.trim() !== "") rules["message"] = draft.message.trim();
  if (draft.expires_at !== "") {
    const at = momentOf(draft.expires_at);
    if (at === null) fault("expires_at", "A day and a time.");
    else rules["expires_at"] = isoOf(at);
  }
  return { rules, faults };
}

/** `rules` without what says nothing: empty lists, nulls, a mode that is off. */
export function withoutEmpty(rules: Rules): Rules {
  const says = ([field, value]: [string, unknown]): boolean => {
    if (value === null || value === undefined || value === "") return false;
    if (Array.isArray(value)) return value.length > 0;
    if (typeof value === "object") return Object.keys(value).length > 0;
    return !(value === false && (field === "emergency_mode" || field === "emergency_whitelist_only"));
  };
  return Object.fromEntries(Object.entries(rules).filter(says));
}

/** The rules as JSON for people: without what says nothing, in the order of the page. */
export function jsonOfRules(rules: Rules): string {
  const order = Object.keys(FIELD_NAMES);
  const place = (field: string) => (order.includes(field) ? order.indexOf(field) : order.length);
  const entries = Object.entries(withoutEmpty(rules)).toSorted(([a], [b]) => place(a) - place(b));
  return JSON.stringify(Object.fromEntries(entries), null, 2);
}

/** The rules in a JSON text, or what is wrong with it. */
export function rulesFromJson(text: string): { rules: Rules } | { fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return { fault: `This is not JSON: ${cause instanceof Error ? cause.message : String(cause)}` };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { fault: "Rules are an object: { … }." };
  }
  const rules = value as Rules;
  for (const field of LIST_FIELDS) {
    if (!isNothing(rules[field]) && !isTexts(rules[field])) return { fault: `${field} is a list of texts.` };
  }
  if (!isNothing(rules["blocked_cloud_providers"]) && !isTexts(rules["blocked_cloud_providers"])) {
    return { fault: "blocked_cloud_providers is a list of texts." };
  }
  for (const field of NUMBER_FIELDS) {
    if (!isNothing(rules[field]) && typeof rules[field] !== "number") return { fault: `${field} is a number.` };
  }
  for (const field of [...SWITCH_FIELDS, "emergency_mode", "emergency_whitelist_only"]) {
    if (!isNothing(rules[field]) && typeof rules[field] !== "boolean") return { fault: `${field} is true or false.` };
  }
  for (const field of ["message", "expires_at"]) {
    if (!isNothing(rules[field]) && typeof rules[field] !== "string") return { fault: `${field} is a text.` };
  }
  const limits = rules["endpoint_rate_limits"];
  const isLimit = (one: unknown) =>
    Array.isArray(one) && one.length === 2 && one.every((part) => typeof part === "number");
  if (!isNothing(limits)) {
    if (typeof limits !== "object" || Array.isArray(limits) || !Object.values(limits as object).every(isLimit)) {
      return { fault: 'endpoint_rate_limits is an object: { "/path": [requests, seconds] }.' };
    }
  }
  return { rules };
}

/** What the server says of fields, by the field: `/rules/ip_blacklist/3` is about `ip_blacklist`. */
export function faultsOf(said: readonly FieldFault[]): Faults {
  const faults: Faults = {};
  for (const { place, detail } of said) {
    const steps = place.split("/").filter((step) => step !== "" && step !== "rules");
    const [field = "", ...rest] = steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    const [entry] = rest;
    const at = entry === undefined ? "" : /^\d+$/.test(entry) ? `Entry ${Number(entry) + 1}: ` : `${entry}: `;
    (faults[field] ??= []).push(at + detail);
  }
  return faults;
}

/** How the entries of a list stand in its text: one a line, without what surrounds them. */
export function entriesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** In how many seconds a text says, as people say it: `1 h`; null where it is no number. */
export function secondsText(text: string): string | null {
  const value = wholeNumber(text.trim());
  if (value === null) return null;
  for (const [unit, name] of [[86_400, "day"], [3600, "hour"], [60, "minute"]] as const) {
    if (value >= unit && value % unit === 0) return plural(value / unit, name);
  }
  return plural(value, "second");
}

function entryFault(field: ListField, entry: string): string | null {
  switch (field) {
    case "ip_blacklist":
    case "ip_whitelist":
    case "emergency_whitelist":
      return isNetwork(entry) ? null : "an address, or a network such as 192.0.2.0/24.";
    case "blocked_countries":
    case "whitelist_countries":
      return /^[A-Za-z]{2}$/.test(entry) ? null : "the two letters of a country, such as NL.";
    default:
      return null;
  }
}

function wholeNumber(text: string): number | null {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null;
}

function quoted(text: string): string {
  const short = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return `“${short}”`;
}

function endpointsOf(value: unknown): EndpointLimit[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).map(([path, limit]) => {
    const [requests, seconds] = Array.isArray(limit) ? limit : [];
    return { path, requests: textOfNumber(requests), seconds: textOfNumber(seconds) };
  });
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

function textOfNumber(value: unknown): string {
  return typeof value === "number" ? String(value) : "";
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined;
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function fromNames<Name extends string, T>(names: readonly Name[], make: (name: Name) => T): Record<Name, T> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, T>;
}
