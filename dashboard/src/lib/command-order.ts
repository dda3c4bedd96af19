/** An order as a person writes it, checked before it is sent; the server checks it again. */

import { addressKind, networkOf } from "./addresses";
import type { CommandAction, CommandTarget, ProcessRef } from "./api-types";
import { COMMAND_KINDS } from "./command-kinds";

export interface Draft {
  action: CommandAction;
  process: ProcessRef | null;
  path: string;
  quarantine: string;
  address: string;
  /** How long a block lasts. */
  seconds: number;
}

export function draftOf(action: CommandAction, target: CommandTarget | null): Draft {
  return {
    action,
    process: target !== null && "pid" in target ? target : null,
    path: target !== null && "path" in target ? target.path : "",
    quarantine: target !== null && "quarantine_id" in target ? target.quarantine_id : "",
    address: target !== null && "address" in target ? target.address : "",
    seconds:
      target !== null && "address" in target && typeof target.seconds === "number" ? target.seconds : 3600,
  };
}

/** How long a block can be chosen to last. */
export const BLOCK_SECONDS: readonly { seconds: number; name: string }[] = [
  { seconds: 600, name: "10 minutes" },
  { seconds: 3600, name: "1 hour" },
  { seconds: 28_800, name: "8 hours" },
  { seconds: 86_400, name: "1 day" },
  { seconds: 604_800, name: "7 days" },
];

const PATH_BYTES_MAX = 4096;

/** The target to send, or what is wrong with what was written. */
export function targetOf(draft: Draft): { target: CommandTarget } | { fault: string } {
  switch (COMMAND_KINDS[draft.action].target) {
    case "process": {
      if (draft.process === null) return { fault: "Choose a process first." };
      if (draft.process.pid < 2) {
        return { fault: `Process ${draft.process.pid} holds the host together; it is never touched.` };
      }
      return { target: draft.process };
    }
    case "file": {
      const fault = pathFault(draft.path);
      return fault === null ? { target: { path: draft.path } } : { fault };
    }
    case "quarantine":
      return draft.quarantine === ""
        ? { fault: "Choose what was quarantined." }
        : { target: { quarantine_id: draft.quarantine } };
    case "address": {
      const address = draft.address.trim();
      const network = networkOf(address);
      if (network === null) {
        return { fault: "An IPv4 or IPv6 address, or a network such as 192.0.2.0/24; no port, no name." };
      }
      if (draft.action === "unblock_address") return { target: { address } };
      const kind = addressKind(network.address);
      if (kind === "loopback" || kind === "unspecified") {
        return { fault: "The host cannot be cut off from itself." };
      }
      return { target: { address, seconds: draft.seconds } };
    }
  }
}

/** What is wrong with a path, or null. Blanks within it may be meant. */
function pathFault(path: string): string | null {
  if (path === "") return "The absolute path of a file.";
  if (!path.startsWith("/")) return "The path begins with a slash: it is absolute.";
  if (path.includes("\0")) return "A path has no NUL.";
  if (path.split("/").includes("..")) return "The path goes nowhere up: leave out `..`.";
  if (path.endsWith("/")) return "The path of a file, not of a folder.";
  if (new TextEncoder().encode(path).length > PATH_BYTES_MAX) return "The path is too long.";
  return null;
}

/** What somebody should know before this is ordered, besides what the kind says; null where nothing. */
export function warningOf(draft: Draft, descendants: number): string | null {
  if (draft.action === "kill_tree" && descendants > 0) {
    return `${descendants === 1 ? "One process descends" : `${descendants} processes descend`} from it now, and ${descendants === 1 ? "ends" : "end"} with it.`;
  }
  const network = draft.action === "block_address" ? networkOf(draft.address.trim()) : null;
  if (network !== null) {
    const kind = addressKind(network.address);
    if (network.hostBits > 0) {
      return `A network of ${network.hostBits < 32 ? (2 ** network.hostBits).toLocaleString("en-US") : `2^${network.hostBits}`} addresses: the host talks to none of them any more.`;
    }
    if (kind === "private") {
      return "A private address: it may be a machine of your own, a gateway or a name server.";
    }
    if (kind === "multicast") return "A multicast address: discovery and routing may use it.";
  }
  return null;
}
