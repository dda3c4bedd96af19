/** A project in figures: metrics as bars and lines over time, and by endpoint. */

import type { GuardMetrics, GuardProject, MetricEndpoint, MetricPoint } from "./guard-types";
import { type Span, aligned, stepFor } from "./timeline";

/** How far back the figures go, by what the address says; the first is where none is named. */
export const GUARD_SPANS = [
  { key: "24h", name: "24 hours", ms: 86_400_000 },
  { key: "1h", name: "1 hour", ms: 3_600_000 },
  { key: "7d", name: "7 days", ms: 7 * 86_400_000 },
] as const;
export type GuardSpan = (typeof GUARD_SPANS)[number]["key"];

/** The time that the figures cover, in whole steps. */
export interface Steps {
  since: number;
  step: number;
  count: number;
}

/** The steps that a span ending `now` is cut into. */
export function stepsOf(key: string | null, now: number, stepsMax: number): Steps {
  const { ms } = GUARD_SPANS.find((one) => one.key === key) ?? GUARD_SPANS[0];
  const span: Span = { since: now - ms, until: now };
  const step = stepFor(span, stepsMax);
  const { since, until } = aligned(span, step);
  return { since, step, count: Math.round((until - since) / step) };
}

/** One value a step; null where nothing was told. Points between steps fall into the step they are in. */
export function valuesOf(
  points: readonly MetricPoint[],
  steps: Steps,
  value: (point: MetricPoint) => number,
): (number | null)[] {
  return gathered(points, steps).map((point) => (point === null ? null : value(point)));
}

/** The points, one a step, those of one step put together. */
export function gathered(points: readonly MetricPoint[], steps: Steps): (MetricPoint | null)[] {
  const out = new Array<MetricPoint | null>(steps.count).fill(null);
  for (const point of points) {
    const at = Math.floor((Date.parse(point.time) - steps.since) / steps.step);
    if (!(at >= 0 && at < steps.count)) continue;
    const here = out[at] ?? null;
    out[at] =
      here === null
        ? point
        : {
            time: here.time,
            count: here.count + point.count,
            sum: here.sum + point.sum,
            min: Math.min(here.min, point.min),
            max: Math.max(here.max, point.max),
          };
  }
  return out;
}

/** The mean of what was told; null where nothing was. */
export function meanOf(one: { count: number; sum: number }): number | null {
  return one.count > 0 ? one.sum / one.count : null;
}

export function sumOf(points: readonly MetricPoint[]): { count: number; sum: number } {
  return points.reduce((all, point) => ({ count: all.count + point.count, sum: all.sum + point.sum }), {
    count: 0,
    sum: 0,
  });
}

/** Requests over time, one value a step: let through, blocked, and the share that is; null where none came. */
export interface Traffic {
  passed: number[];
  blocked: number[];
  shares: (number | null)[];
}

/**
 * What came of requests. Guards of ours measure all requests, and which part of them they blocked; Python guards
 * measure those that they let through, and what they block is told by events alone, which the server counts.
 */
export function trafficOf(
  requests: readonly MetricPoint[],
  rates: readonly MetricPoint[],
  counted: readonly MetricPoint[],
  steps: Steps,
): Traffic {
  const of = (points: readonly MetricPoint[]) => gathered(points, steps);
  const [seen, rated, events] = [of(requests), of(rates), of(counted)];
  const out: Traffic = { passed: [], blocked: [], shares: [] };
  for (let at = 0; at < steps.count; at += 1) {
    const all = seen[at]?.sum ?? 0;
    const rate = rated[at] ?? null;
    const told = events[at]?.sum ?? 0;
    const ours = Math.min(rate?.count ?? 0, all);
    const oursBlocked = Math.min(rate?.sum ?? 0, ours);
    const others = all - ours;
    // Events and measurements of one request may stand on both sides of a step's end: that makes no other guard.
    const othersBlocked = rate !== null && others <= 0 ? 0 : Math.max(0, told - oursBlocked);
    const passed = all - oursBlocked;
    const blocked = oursBlocked + othersBlocked;
    out.passed.push(passed);
    out.blocked.push(blocked);
    out.shares.push(blockedShare(passed, blocked));
  }
  return out;
}

/** The share of requests that were blocked, of all that came; null where none came. */
export function blockedShare(requests: number, blocked: number): number | null {
  const all = requests + blocked;
  return all > 0 ? blocked / all : null;
}

/** One endpoint with what is known of it. */
export interface EndpointFigures {
  endpoint: string;
  requests: number | null;
  /** In seconds, on average. */
  response: number | null;
  /** From 0 to 1. */
  errors: number | null;
}

/** What three metrics say of the endpoints, those with the most requests first. */
export function endpointFigures(
  requests: readonly MetricEndpoint[],
  response: readonly MetricEndpoint[],
  errors: readonly MetricEndpoint[],
): EndpointFigures[] {
  const all = new Map<string, EndpointFigures>();
  const of = (endpoint: string) => {
    const known = all.get(endpoint) ?? { endpoint, requests: null, response: null, errors: null };
    all.set(endpoint, known);
    return known;
  };
  for (const one of requests) of(one.endpoint).requests = one.sum;
  for (const one of response) of(one.endpoint).response = meanOf(one);
  for (const one of errors) of(one.endpoint).errors = meanOf(one);
  return [...all.values()].toSorted(
    (a, b) => (b.requests ?? -1) - (a.requests ?? -1) || (a.endpoint < b.endpoint ? -1 : 1),
  );
}

/** Seconds as people read them: `4.2 ms`. */
export function secondsShort(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return "–";
  if (seconds === 0) return "0 ms";
  if (seconds < 0.001) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 1) return `${trimmed(seconds * 1000)} ms`;
  return `${trimmed(seconds)} s`;
}

/** A share from 0 to 1 as a percentage: `2.4 %`. */
export function shareText(share: number | null): string {
  if (share === null || !Number.isFinite(share)) return "–";
  const value = share * 100;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  return `${value >= 10 || value === 0 ? value.toFixed(0) : value.toFixed(1)} %`;
}

function trimmed(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export type ProjectMood = "warned" | "reports" | "quiet" | "new";

/** Agents report at the latest every five minutes; after three times that something is wrong. */
const QUIET_MS = 15 * 60_000;

/** How a project is doing. */
export function moodOf(project: Pick<GuardProject, "warning" | "last_seen">, now: number): ProjectMood {
  if (project.warning !== null) return "warned";
  if (project.last_seen === null) return "new";
  return now - Date.parse(project.last_seen) > QUIET_MS ? "quiet" : "reports";
}

/** An answer without a point, for what was not told. */
export function nothingTold(project: string, metric: string): GuardMetrics {
  return { project, metric, step_seconds: 0, points: [], endpoints: [] };
}
