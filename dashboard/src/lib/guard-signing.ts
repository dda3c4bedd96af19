/** Which agents of a guarded application can sign what they send: those from 2.5 on. */

import { count, plural } from "./format";
import type { GuardAgent } from "./guard-types";

/** What the versions of our own agents begin with. */
const OURS = "ringwall";

export type Signing = "can" | "cannot" | "unknown";

/** Whether an agent of this version signs: `2.5.0rc1` does, and those that name themselves, as ours do. */
export function signingOf(version: string | null): Signing {
  if (version?.startsWith(OURS) === true) return "can";
  const match = /^v?(\d{1,6})(?:\.(\d{1,6}))?/.exec(version ?? "");
  if (match === null) return "unknown";
  const major = Number(match[1]);
  const minor = Number(match[2] ?? 0);
  return major > 2 || (major === 2 && minor >= 5) ? "can" : "cannot";
}

/** Who would be refused, in a sentence; null where all are known to sign. */
export function refusedText(agents: readonly Pick<GuardAgent, "agent_version">[]): string | null {
  const of = (signing: Signing) => agents.filter((agent) => signingOf(agent.agent_version) === signing).length;
  const [old, unknown] = [of("cannot"), of("unknown")];
  if (old > 0) {
    const which = old === agents.length ? (old === 1 ? "Its agent is" : `All ${count(old)} agents are`) : `${count(old)} of its ${plural(agents.length, "agent")} ${old === 1 ? "is" : "are"}`;
    return `${which} older than 2.5 and cannot sign: refused from then on.`;
  }
  if (unknown > 0) return `Of ${plural(unknown, "agent")} the version is not known; before 2.5 they cannot sign.`;
  return null;
}
