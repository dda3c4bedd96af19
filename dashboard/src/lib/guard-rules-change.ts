/** What changed between two versions of rules, and two people's changes put together. */

import { FIELD_NAMES, fieldName, withoutEmpty } from "./guard-rules";
import type { Rules } from "./guard-types";

/** One field that is another. */
export interface RuleChange {
  field: string;
  /** Entries of a list, or of limits, that are new. */
  added: string[];
  removed: string[];
  /** Of a single value; null where there was or is none. */
  before: string | null;
  after: string | null;
}

/** What `after` has that `before` had not, and the other way round; fields in the order of the page. */
export function changesOf(before: Rules, after: Rules): RuleChange[] {
  const [old, now] = [withoutEmpty(before), withoutEmpty(after)];
  const changes: RuleChange[] = [];
  for (const field of fieldsOf(old, now)) {
    const [was, is] = [valueOf(old, field), valueOf(now, field)];
    if (isSame(was, is)) continue;
    const [left, right] = [entriesIn(was), entriesIn(is)];
    if (left !== null || right !== null) {
      const [had, has] = [left ?? [], right ?? []];
      const added = has.filter((one) => !had.includes(one));
      const removed = had.filter((one) => !has.includes(one));
      changes.push({ field, added, removed, before: null, after: null });
    } else changes.push({ field, added: [], removed: [], before: textOf(was), after: textOf(is) });
  }
  return changes;
}

/** A change in one line: `Banned addresses: 2 added, 1 removed`. */
export function changeText(change: RuleChange): string {
  const name = fieldName(change.field);
  const parts: string[] = [];
  const some = (entries: string[]) =>
    entries.length <= 3 ? entries.join(", ") : `${entries.slice(0, 3).join(", ")} and ${entries.length - 3} more`;
  if (change.added.length > 0) parts.push(`with ${some(change.added)}`);
  if (change.removed.length > 0) parts.push(`without ${some(change.removed)}`);
  if (parts.length > 0) return `${name} ${parts.join(", ")}`;
  if (change.before === null && change.after === null) return `${name}: in another order`;
  if (change.after === null) return `${name} not set any more (was ${change.before ?? "unset"})`;
  return change.before === null ? `${name}: ${change.after}` : `${name}: ${change.after} instead of ${change.before}`;
}

export interface Merged {
  rules: Rules;
  /** Fields that both changed, and not alike; the list of both in lists, mine in single values. */
  both: string[];
}

/** My changes since `base`, put onto what others made of it. */
export function merged(base: Rules, mine: Rules, theirs: Rules): Merged {
  const [start, my, their] = [withoutEmpty(base), withoutEmpty(mine), withoutEmpty(theirs)];
  const rules: Rules = {};
  const both: string[] = [];
  for (const field of fieldsOf(start, my, their)) {
    const [was, wanted, is] = [valueOf(start, field), valueOf(my, field), valueOf(their, field)];
    const iChanged = !isSame(was, wanted);
    const theyChanged = !isSame(was, is);
    let value = iChanged ? wanted : is;
    if (iChanged && theyChanged && !isSame(wanted, is)) {
      both.push(field);
      value = mergedList(was, wanted, is) ?? wanted;
    }
    if (value !== undefined) rules[field] = value;
  }
  return { rules: withoutEmpty(rules), both };
}

/** Whether two values of rules are the same; the order of the keys does not count. */
export function isSame(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

/** Whether two sets of rules say the same. */
export function isSameRules(a: Rules, b: Rules): boolean {
  return isSame(withoutEmpty(a), withoutEmpty(b));
}

/** Lists of texts: theirs, with what I added and without what I removed. */
function mergedList(was: unknown, wanted: unknown, is: unknown): string[] | null {
  const lists = [was ?? [], wanted ?? [], is ?? []];
  if (!lists.every((one) => Array.isArray(one) && one.every((entry) => typeof entry === "string"))) return null;
  const [start = [], mine = [], theirs = []] = lists as string[][];
  const kept = theirs.filter((one) => mine.includes(one) || !start.includes(one));
  return [...kept, ...mine.filter((one) => !start.includes(one) && !kept.includes(one))];
}

function valueOf(rules: Rules, field: string): unknown {
  return Object.hasOwn(rules, field) ? rules[field] : undefined;
}

function fieldsOf(...all: Rules[]): string[] {
  const known = Object.keys(FIELD_NAMES);
  const found = new Set(all.flatMap((rules) => Object.keys(rules)));
  const others = [...found].filter((field) => !known.includes(field)).toSorted();
  return [...known.filter((field) => found.has(field)), ...others];
}

/** The entries of a list as texts; of limits, each with its numbers; null where it is neither. */
function entriesIn(value: unknown): string[] | null {
  if (Array.isArray(value)) return value.map((one) => (typeof one === "string" ? one : JSON.stringify(one)));
  if (typeof value !== "object" || value === null) return null;
  return Object.entries(value).map(([path, limit]) =>
    Array.isArray(limit) ? `${path} (${String(limit[0])} in ${String(limit[1])} s)` : `${path}: ${JSON.stringify(limit)}`,
  );
}

function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (value === true) return "on";
  if (value === false) return "off";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  ) ?? "undefined";
}
