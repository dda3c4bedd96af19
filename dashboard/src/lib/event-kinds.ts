/** The kinds of events in words and colours. */

import { EVENT_KINDS } from "./api-types";
import { words } from "./format";

const NAMES: Record<string, string> = {
  http_request: "HTTP request",
  sign_in: "sign-in",
  agent_health: "host agent",
  app_guard: "app guard",
};

/** `process_started` → `process started`. */
export function kindName(kind: string): string {
  return NAMES[kind] ?? words(kind);
}

/** The colour of a kind in charts; one for those that we do not know. */
export function kindColour(kind: string): string {
  return (EVENT_KINDS as readonly string[]).includes(kind)
    ? `--kind-${kind.replaceAll("_", "-")}`
    : "--kind-other";
}

/** Where a kind stands in charts: as they are listed, the unknown ones last. */
export function kindOrder(kind: string): number {
  const at = (EVENT_KINDS as readonly string[]).indexOf(kind);
  return at < 0 ? EVENT_KINDS.length : at;
}
