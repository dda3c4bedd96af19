/** Webhooks and their deliveries in words: how one is doing, what it is told, what is wrong with an address. */

import type { Delivery, DeliveryState, Webhook } from "./api-types";
import { plural, words } from "./format";

/** How a webhook is doing, worst first. */
export type WebhookMood = "paused" | "failing" | "gave-up" | "fine" | "unused";

export interface WebhookHealth {
  mood: WebhookMood;
  /** In a word or two. */
  name: string;
}

/** How `webhook` is doing, by the states of its deliveries. */
export function healthOf(webhook: Pick<Webhook, "enabled" | "deliveries">): WebhookHealth {
  const { pending, failed, success, dead_letter } = webhook.deliveries;
  if (!webhook.enabled) return { mood: "paused", name: "paused" };
  if (failed > 0) return { mood: "failing", name: "failing" };
  if (dead_letter > 0) return { mood: "gave-up", name: plural(dead_letter, "dead letter") };
  if (success > 0) return { mood: "fine", name: "delivers" };
  return { mood: "unused", name: pending > 0 ? "waits" : "nothing sent yet" };
}

/** How many deliveries wait for a try, the first or another. */
export function waitingOf(webhook: Pick<Webhook, "deliveries">): number {
  return webhook.deliveries.pending + webhook.deliveries.failed;
}

/** Which alerts it is told, in a line. */
export function toldText(webhook: Pick<Webhook, "min_severity" | "findings" | "sources" | "format" | "threshold">): string {
  if (webhook.format === "sysscore") {
    const from = webhook.threshold === null ? "the threshold" : `a risk of ${webhook.threshold}`;
    return `Processes that reach ${from}${hosts(webhook.sources)}`;
  }
  const kinds = webhook.findings.length === 0 ? "" : ` (${webhook.findings.map(words).join(", ")})`;
  const alerts =
    webhook.min_severity === null
      ? `All alerts${kinds}`
      : webhook.min_severity === "critical"
        ? `Critical alerts${kinds}`
        : `Alerts${kinds}, ${webhook.min_severity} and above`;
  return `${alerts}${hosts(webhook.sources)}`;
}

function hosts(sources: readonly string[]): string {
  if (sources.length === 0) return "";
  return sources.length === 1 ? `, of ${sources[0] ?? ""}` : `, of ${plural(sources.length, "host")}`;
}

/** What is wrong with the address of a webhook, or null. The server decides on what it leads to. */
export function urlFault(text: string): string | null {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    return "An address such as https://example.com/ringwall.";
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return "The address begins with https:// or http://.";
  if (url.username !== "" || url.password !== "") return "Leave the password out: signatures prove who sends.";
  if (url.hash !== "") return "What follows a # is never sent; leave it out.";
  if (new TextEncoder().encode(text.trim()).length > 2048) return "The address is too long.";
  return null;
}

/** Whether what is sent there can be read on the way. */
export function isPlain(text: string): boolean {
  return /^http:/i.test(text.trim());
}

/** The state of a delivery, for people. */
export const DELIVERY_NAMES: Record<DeliveryState, string> = {
  pending: "waits",
  failed: "will be tried again",
  success: "delivered",
  dead_letter: "dead letter",
};

/** Since when deliveries fail: the oldest that is still tried in vain; null where none is. */
export function failingSince(failed: readonly Delivery[]): string | null {
  return failed.reduce<string | null>(
    (oldest, one) => (oldest === null || one.created < oldest ? one.created : oldest),
    null,
  );
}
