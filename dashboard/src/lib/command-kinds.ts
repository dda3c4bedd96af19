/** What can be ordered of a host: what it is called, what it does, and how careful one has to be. */

import { COMMAND_ACTIONS, type CommandAction, type CommandRow, type CommandTarget } from "./api-types";
import type { Permission } from "./roles";

/** What a command is aimed at. */
export type TargetKind = "process" | "file" | "quarantine" | "address";

/**
 * How a kind is confirmed: `plain` changes nothing for good; `careful` takes something away and has a
 * way back; `final` has none.
 */
export type Danger = "plain" | "careful" | "final";

export interface CommandKind {
  /** As an order: "Kill the process". */
  title: string;
  /** On a button. */
  button: string;
  target: TargetKind;
  danger: Danger;
  /** What happens on the host, in a sentence or two. */
  effect: string;
  /** How it is undone, where it can be. */
  wayBack: string | null;
}

export const COMMAND_KINDS: Record<CommandAction, CommandKind> = {
  kill_process: {
    title: "Kill this process",
    button: "Kill process",
    target: "process",
    danger: "final",
    effect:
      "The agent on the host sends SIGTERM, waits for the exit, then sends SIGKILL. It refuses if pid, start time and name no longer belong to the same process.",
    wayBack: null,
  },
  kill_tree: {
    title: "Kill this process and all it started",
    button: "Kill tree",
    target: "process",
    danger: "final",
    effect:
      "The agent stops the process, finds everything that descends from it, and ends all of it, children included that start meanwhile.",
    wayBack: null,
  },
  stop_process: {
    title: "Stop this process",
    button: "Stop",
    target: "process",
    danger: "careful",
    effect: "The process is frozen where it stands (SIGSTOP): it keeps its memory and its files, and does nothing.",
    wayBack: "It goes on when you order it to continue.",
  },
  continue_process: {
    title: "Let this process continue",
    button: "Continue",
    target: "process",
    danger: "plain",
    effect: "A process that was stopped goes on where it stood (SIGCONT).",
    wayBack: null,
  },
  collect_file: {
    title: "Collect a file",
    button: "Collect file",
    target: "file",
    danger: "plain",
    effect: "The agent reads the file, bounded in size, and sends it here with its SHA-256. The host keeps its own.",
    wayBack: null,
  },
  quarantine_file: {
    title: "Quarantine a file",
    button: "Quarantine",
    target: "file",
    danger: "careful",
    effect:
      "The file is moved to where only the agent reads it, and no longer runs or opens under its path. What runs from it already keeps running.",
    wayBack: "It is restored to its place, with its owner and mode, when you order that.",
  },
  restore_file: {
    title: "Restore a file from quarantine",
    button: "Restore file",
    target: "quarantine",
    danger: "careful",
    effect: "The file goes back to its path, with its owner and mode. The agent refuses if another file is there by now.",
    wayBack: "It can be quarantined again.",
  },
  block_address: {
    title: "Block an address",
    button: "Block address",
    target: "address",
    danger: "careful",
    effect:
      "The host drops packets from and to this address, in a set of nftables of our own, and forgets the block when its time is over.",
    wayBack: "It ends by itself, or when you order to unblock.",
  },
  unblock_address: {
    title: "Unblock an address",
    button: "Unblock address",
    target: "address",
    danger: "plain",
    effect: "The host lets packets from and to this address through again.",
    wayBack: null,
  },
};

/** The kind by the name on the wire; a newer server may know more than this page. */
export function commandKind(action: string): CommandKind | null {
  return Object.hasOwn(COMMAND_KINDS, action) ? COMMAND_KINDS[action as CommandAction] : null;
}

/** What one has to be allowed to order this. */
export function permissionFor(action: CommandAction): Permission {
  return action === "collect_file" ? "collect_files" : "order_commands";
}

/** The shape of what a command is aimed at, told by its fields. */
export function targetKind(target: CommandTarget): TargetKind {
  if ("path" in target) return "file";
  if ("quarantine_id" in target) return "quarantine";
  if ("address" in target) return "address";
  return "process";
}

/** What a command is aimed at, in a line. */
export function targetText(target: CommandTarget): string {
  if ("path" in target) return target.path;
  if ("quarantine_id" in target) return target.quarantine_id;
  if ("address" in target) return target.address;
  return `${target.name}, pid ${target.pid}`;
}

export interface FollowUp {
  action: CommandAction;
  target: CommandTarget;
}

/** The order that takes a finished command back, where there is one and it still makes sense. */
export function followUp(command: CommandRow, now: number): FollowUp | null {
  if (command.state !== "succeeded") return null;
  const { action, target } = command;
  if (action === "stop_process" && "pid" in target) return { action: "continue_process", target };
  if (action === "quarantine_file") {
    return { action: "restore_file", target: { quarantine_id: command.id } };
  }
  if (action === "block_address" && "address" in target) {
    const ends = blockEnds(command);
    if (ends !== null && ends <= now) return null;
    return { action: "unblock_address", target: { address: target.address } };
  }
  return null;
}

/** When a block ends by itself, in milliseconds since 1970; null where it is no block or not in force. */
export function blockEnds(command: CommandRow): number | null {
  if (command.action !== "block_address" || command.finished === null) return null;
  if (!("address" in command.target) || typeof command.target.seconds !== "number") return null;
  return Date.parse(command.finished) + command.target.seconds * 1000;
}

/** What hosts of this dialect can be told. Watcher clients know one thing; SysScore agents, nothing. */
export function actionsOf(dialect: string): readonly CommandAction[] {
  if (dialect === "host-agent") return COMMAND_ACTIONS;
  return dialect === "watcher" ? ["kill_process"] : [];
}
