/** Enrolments in words: which are open, and how far the hosts are that one was made for. */

import type { Enrolment, Host, Identity } from "./api-types";

/** How long an enrolment can be chosen to be good for. */
export const ENROLMENT_SECONDS: readonly { seconds: number; name: string }[] = [
  { seconds: 900, name: "15 minutes" },
  { seconds: 3600, name: "1 hour" },
  { seconds: 86_400, name: "1 day" },
  { seconds: 604_800, name: "7 days" },
];

export type EnrolmentState = "open" | "used up" | "expired";

/** Whether a host can still enrol with it. */
export function enrolmentState(enrolment: Pick<Enrolment, "uses_left" | "expires">, now: number): EnrolmentState {
  if (enrolment.uses_left === 0) return "used up";
  return Date.parse(enrolment.expires) <= now ? "expired" : "open";
}

/** What is wrong with the name that a host shall get, or null. */
export function nameFault(name: string): string | null {
  if (name === "") return null;
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)
    ? null
    : "Letters, digits, dots, hyphens and underscores, a letter or a digit first.";
}

/** A host that enrolled, and whether it reports already. */
export interface Arrival {
  name: string;
  hostname: string;
  address: string | null;
  enrolled: string;
  /** The id of its host once it reported after it enrolled; null before. */
  host: string | null;
}

/** The hosts that enrolled with the enrolment `id`, the latest first. */
export function arrivals(
  id: string,
  identities: readonly Identity[],
  hosts: readonly Pick<Host, "id" | "last_seen">[],
): Arrival[] {
  const reports = new Map(hosts.map((host) => [host.id, host.last_seen]));
  return identities
    .filter((identity) => identity.enrolled_by === id)
    .toSorted((a, b) => Date.parse(b.enrolled) - Date.parse(a.enrolled))
    .map((identity) => {
      const host = hostOf(identity.name);
      const seen = reports.get(host);
      const isHere = seen !== undefined && Date.parse(seen) >= Date.parse(identity.enrolled);
      return {
        name: identity.name,
        hostname: identity.hostname,
        address: identity.address,
        enrolled: identity.enrolled,
        host: isHere ? host : null,
      };
    });
}

/** The id of the host whose agent enrolled under `name`. */
export function hostOf(name: string): string {
  return `host-agent:${name}`;
}

/** A command line whose token is not to be read over a shoulder. */
export function masked(command: string): string {
  return command.replace(/\brwe_[A-Za-z0-9_-]+/g, "rwe_••••••••");
}
