/** The life of a command as steps on a line: what was, what is, and what is still to come. */

import type { CommandRow } from "./api-types";
import { duration, plural } from "./format";

export interface Step {
  name: string;
  /** When it was reached; null where it was not. */
  at: string | null;
  state: "done" | "now" | "failed" | "ahead" | "skipped";
  /** A word on it, where there is one. */
  text: string | null;
}

const ENDS: Partial<Record<CommandRow["state"], string>> = {
  succeeded: "Carried out",
  failed: "Failed",
  expired: "Expired",
  withdrawn: "Withdrawn",
};

/** The three steps of `command`, as they stand at `now`. */
export function stepsOf(command: CommandRow, now: number): Step[] {
  const { state } = command;
  const isOpen = state === "queued" || state === "delivered";
  const wasDelivered = command.delivered !== null;
  const ordered: Step = {
    name: "Ordered",
    at: command.created,
    state: "done",
    text: `by ${command.ordered_by}`,
  };
  const delivered: Step = {
    name: wasDelivered ? "Handed to the host" : isOpen ? "Waits for the host" : "Never handed out",
    at: command.delivered,
    state: wasDelivered ? "done" : isOpen ? "now" : "skipped",
    text: wasDelivered
      ? command.deliveries > 1
        ? `${plural(command.deliveries, "time")}, each the same order`
        : `after ${took(command.created, command.delivered)}`
      : isOpen
        ? remaining(command, now)
        : null,
  };
  const end = ENDS[state];
  const finished: Step =
    end === undefined
      ? {
          name: "Result",
          at: null,
          state: wasDelivered ? "now" : "ahead",
          text: wasDelivered ? remaining(command, now) : null,
        }
      : {
          name: end,
          at: command.finished,
          state: state === "succeeded" ? "done" : state === "failed" ? "failed" : "skipped",
          text: command.finished === null ? null : `${took(command.created, command.finished)} after the order`,
        };
  return [ordered, delivered, finished];
}

function remaining(command: CommandRow, now: number): string {
  const left = Date.parse(command.expires) - now;
  return left > 0 ? `expires in ${duration(left)}` : "expires now";
}

/** How long it took from one moment to another: `38 ms`, `1.2 s`, `3 min 4 s`. */
export function took(from: string, to: string | null): string {
  if (to === null) return "";
  const ms = Date.parse(to) - Date.parse(from);
  if (Number.isNaN(ms)) return "";
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms);
}
