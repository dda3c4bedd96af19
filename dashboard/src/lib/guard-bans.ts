/** Bans in words: how long, by whom, how many addresses, and what gives pause before one is made. */

import { addressKind, networkHolds, networkOf } from "./addresses";
import { count } from "./format";
import type { Ban } from "./guard-types";

/** How long a ban can be chosen to last. */
export const BAN_SECONDS: readonly { seconds: number; name: string }[] = [
  { seconds: 600, name: "10 minutes" },
  { seconds: 3600, name: "1 hour" },
  { seconds: 28_800, name: "8 hours" },
  { seconds: 86_400, name: "1 day" },
  { seconds: 604_800, name: "7 days" },
  { seconds: 2_592_000, name: "30 days" },
  { seconds: 31_536_000, name: "1 year" },
];

/** So many seconds in words, as they can be chosen; the number where they cannot. */
export function banSecondsText(seconds: number): string {
  const known = BAN_SECONDS.find((one) => one.seconds === seconds)?.name;
  if (known !== undefined) return known;
  if (seconds % 86_400 === 0) return `${count(seconds / 86_400)} days`;
  if (seconds % 3600 === 0) return `${count(seconds / 3600)} hours`;
  if (seconds % 60 === 0) return `${count(seconds / 60)} minutes`;
  return `${count(seconds)} seconds`;
}

const ORIGINS: Record<string, string> = {
  person: "a person",
  alert: "an automatic rule",
  app: "an application",
};

/** Who made it, in a word or two. */
export function originName(origin: string): string {
  return Object.hasOwn(ORIGINS, origin) ? (ORIGINS[origin] ?? origin) : origin;
}

/** Whether it holds now: it was not lifted, and its time is not over. */
export function isActive(ban: Pick<Ban, "ended" | "expires">, now: number): boolean {
  return ban.ended === null && Date.parse(ban.expires) > now;
}

/** Whether somebody ended it before its time was over; of those over it is the server that says so. */
export function wasLifted(ban: Pick<Ban, "ended" | "ended_by">): boolean {
  return ban.ended !== null && ban.ended_by !== null && ban.ended_by !== "server";
}

/** How many addresses a network has, where it is more than one: `65,536 addresses`. */
export function coverText(address: string): string | null {
  const network = networkOf(address.trim());
  if (network === null || network.hostBits === 0) return null;
  if (network.hostBits > 40) return `2^${network.hostBits} addresses`;
  return `${count(2 ** network.hostBits)} addresses`;
}

/** What is wrong with an address to ban; null where nothing is. */
export function addressFault(text: string): string | null {
  const network = networkOf(text.trim());
  if (network === null) return "An address, or a network such as 203.0.113.0/24.";
  if (text.includes("/") && /\/0$/.test(text.trim())) return "That is every address there is.";
  return null;
}

/** What gives pause before an address is banned; null where nothing does. */
export function banWarning(text: string, own: string | null): string | null {
  const address = text.trim();
  const network = networkOf(address);
  if (network === null) return null;
  if (own !== null && networkHolds(address, own)) {
    return `It holds the address that you are signed in from, ${own}.`;
  }
  const kind = addressKind(network.address);
  if (kind === "loopback") return "It is this machine's own address: guards never ban it.";
  if (kind === "private") return "It is an address of a private network: it may be your own proxy, and everybody behind it.";
  const isFour = !network.address.includes(":");
  const wide = isFour ? 16 : 80;
  if (network.hostBits > wide) return `It is wide: ${coverText(address) ?? ""}.`;
  return null;
}
