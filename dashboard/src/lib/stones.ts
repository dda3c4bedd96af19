/** How things are doing, as one of six stones with a word: agents, projects, webhooks, deliveries. */

import type { DeliveryState, IdentityState, Webhook } from "./api-types";
import { type ProjectMood, moodOf } from "./guard-figures";
import type { GuardProject } from "./guard-types";
import { DELIVERY_NAMES, type WebhookMood, healthOf } from "./webhooks";

/** All is well, somebody should look, it is lost, it is shut out, it rests, nothing is known yet. */
export type Stone = "fine" | "trouble" | "lost" | "shut" | "quiet" | "none";

export interface Standing {
  stone: Stone;
  name: string;
}

/** Whether a host is heard of. */
export function hostStanding(online: boolean): Standing {
  return online ? { stone: "fine", name: "online" } : { stone: "none", name: "silent" };
}

const IDENTITIES: Record<IdentityState, Stone> = { active: "fine", suspended: "trouble", revoked: "shut" };

/** Whether what an agent signs is taken. */
export function identityStanding(state: IdentityState): Standing {
  return { stone: IDENTITIES[state] ?? "none", name: state };
}

const PROJECTS: Record<ProjectMood, Standing> = {
  warned: { stone: "trouble", name: "look at it" },
  reports: { stone: "fine", name: "reports" },
  quiet: { stone: "quiet", name: "silent" },
  new: { stone: "none", name: "nothing heard yet" },
};

/** How a guarded application is doing. */
export function projectStanding(project: Pick<GuardProject, "warning" | "last_seen">, now: number): Standing {
  return PROJECTS[moodOf(project, now)];
}

const WEBHOOKS: Record<WebhookMood, Stone> = {
  fine: "fine",
  failing: "trouble",
  "gave-up": "lost",
  paused: "quiet",
  unused: "none",
};

/** How a webhook is doing. */
export function webhookStanding(webhook: Webhook): Standing {
  const { mood, name } = healthOf(webhook);
  return { stone: WEBHOOKS[mood], name };
}

const DELIVERIES: Record<DeliveryState, Stone> = {
  pending: "none",
  success: "fine",
  failed: "trouble",
  dead_letter: "lost",
};

/** How far a delivery is. */
export function deliveryStanding(state: DeliveryState): Standing {
  return { stone: DELIVERIES[state] ?? "none", name: DELIVERY_NAMES[state] ?? state };
}
