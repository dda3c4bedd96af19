/** Automatic rules in words and as a form. */

import { FINDINGS, type Severity } from "./api-types";
import { count, words } from "./format";
import { banSecondsText } from "./guard-bans";
import { guardEventName } from "./guard-events";
import type { Automatic, AutomaticRule } from "./guard-types";

/** In which time sightings are counted together, to choose from. */
export const WINDOW_SECONDS: readonly number[] = [60, 300, 600, 3600, 21_600, 86_400];

/** One that is new, as the form begins. */
export function newRule(): AutomaticRule {
  return {
    name: "",
    enabled: true,
    when: { findings: [], event_types: ["penetration_attempt"], min_severity: null, threshold: 5, window_seconds: 300 },
    ban_seconds: 3600,
    projects: null,
    hosts: false,
  };
}

/** What a rule does, in a sentence. */
export function ruleText(rule: AutomaticRule): string {
  const { when } = rule;
  const often = when.threshold === 1 ? "once" : `${count(when.threshold)} times`;
  const sightings = [
    ...(when.event_types ?? []).map(guardEventName),
    ...(when.findings ?? []).map((finding) => `alert of ${words(finding)}`),
  ];
  const what = sightings.length === 0 ? "anything" : oneOf(sightings);
  const severity = (when.min_severity ?? null) === null ? "" : `, ${when.min_severity ?? ""} or worse,`;
  const within = when.threshold === 1 ? "" : ` within ${banSecondsText(when.window_seconds)}`;
  const where = rule.projects === null ? "everywhere" : rule.projects.length === 0 ? "nowhere" : `in ${oneOf(rule.projects, "and")}`;
  const hosts = rule.hosts ? ", and in the firewalls of hosts" : "";
  return `An address seen ${often} with ${what}${severity}${within} is banned ${where}${hosts} for ${banSecondsText(rule.ban_seconds)}.`;
}

/** `rules` with one changed, or a new one at the end; `before` is the name it had. */
export function withRule(rules: readonly AutomaticRule[], before: string | null, rule: AutomaticRule): AutomaticRule[] {
  if (before === null || !rules.some((one) => one.name === before)) return [...rules, rule];
  return rules.map((one) => (one.name === before ? rule : one));
}

/** What is wrong with a rule as it is written; null where nothing is seen. */
export function ruleFault(rule: AutomaticRule, before: string | null, others: readonly AutomaticRule[]): string | null {
  const name = rule.name.trim();
  if (name === "") return "Give it a name.";
  if (name !== before && others.some((one) => one.name === name)) return "There is a rule of this name.";
  if (!Number.isInteger(rule.when.threshold) || rule.when.threshold < 1) return "How often is a whole number, 1 or more.";
  if ((rule.when.findings ?? []).length === 0 && (rule.when.event_types ?? []).length === 0) {
    return "Choose what an address has to be seen with.";
  }
  if (rule.projects !== null && rule.projects.length === 0 && !rule.hosts) return "Choose where the ban holds.";
  return null;
}

/** All of it as it is sent, so that what is empty is left out. */
export function tidied(automatic: Automatic): Automatic {
  return {
    ...automatic,
    rules: automatic.rules.map((rule) => ({
      ...rule,
      name: rule.name.trim(),
      when: tidiedTrigger(rule.when),
    })),
  };
}

function tidiedTrigger(when: AutomaticRule["when"]): AutomaticRule["when"] {
  const severity: Severity | null = when.min_severity ?? null;
  return {
    ...((when.findings ?? []).length > 0 ? { findings: when.findings ?? [] } : {}),
    ...((when.event_types ?? []).length > 0 ? { event_types: when.event_types ?? [] } : {}),
    ...(severity === null ? {} : { min_severity: severity }),
    threshold: when.threshold,
    window_seconds: when.window_seconds,
  };
}

function oneOf(names: readonly string[], last = "or"): string {
  if (names.length <= 1) return names[0] ?? "";
  return `${names.slice(0, -1).join(", ")} ${last} ${names.at(-1) ?? ""}`;
}

/** The findings to choose from: those known, and those that a rule has though they are not. */
export function findingChoices(rule: AutomaticRule): string[] {
  return [...new Set([...FINDINGS, ...(rule.when.findings ?? [])])];
}
