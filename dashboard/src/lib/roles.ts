/**
 * Who may do what. The server decides each time; this is what the page shows and offers, so that nobody
 * fills in a form to be refused.
 */

export const ROLES = ["admin", "responder", "analyst", "read_only"] as const;
export type Role = (typeof ROLES)[number];

/** Names of the wire, each with what it lets somebody do. */
export const PERMISSIONS = {
  read_hosts: "see hosts, their processes and connections",
  read_events: "see events, and ask in SQL",
  read_alerts: "see alerts",
  read_commands: "see commands and their results",
  read_scores: "see risk scores",
  read_indicators: "see indicators",
  read_guard: "see guarded applications, their rules and bans",
  read_audit: "read the audit log",
  read_holds: "see legal holds",
  read_keys: "see enrolments, identities and agent keys",
  read_tokens: "see API tokens",
  read_users: "see who has access",
  read_webhooks: "see webhooks and what they delivered",
  handle_alerts: "acknowledge and resolve alerts",
  order_commands: "order and withdraw commands",
  collect_files: "have hosts bring files, and download them",
  ban_addresses: "ban addresses, and lift bans",
  change_indicators: "add and remove indicators",
  change_keys: "enrol hosts, revoke identities, make agent keys",
  change_tokens: "make and remove API tokens",
  change_guard: "add projects of application guards, change their rules",
  change_users: "add, change and remove people",
  change_webhooks: "add, change, test and remove webhooks",
  replay_deliveries: "send deliveries to webhooks again",
  change_holds: "put legal holds into force and lift them",
} as const;
export type Permission = keyof typeof PERMISSIONS;
export const PERMISSION_NAMES = Object.keys(PERMISSIONS) as Permission[];

const READER: readonly Permission[] = [
  "read_hosts",
  "read_events",
  "read_alerts",
  "read_commands",
  "read_scores",
  "read_indicators",
  "read_guard",
];
const ANALYST: readonly Permission[] = [
  ...READER,
  "read_audit",
  "read_holds",
  "read_webhooks",
  "handle_alerts",
  "change_indicators",
];
const ALLOWED: Record<Role, ReadonlySet<Permission>> = {
  admin: new Set(PERMISSION_NAMES),
  responder: new Set([...ANALYST, "order_commands", "collect_files", "replay_deliveries", "ban_addresses"]),
  analyst: new Set(ANALYST),
  read_only: new Set(READER),
};

/** What a role is for, in one line. */
export const ROLE_TEXT: Record<Role, string> = {
  admin: "Everything, with the people, hosts, tokens and webhooks.",
  responder: "Works on alerts and indicators, orders commands to hosts, and sends deliveries again.",
  analyst: "Works on alerts and indicators; orders nothing.",
  read_only: "Sees hosts, events and alerts; changes nothing.",
};

export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}

/** The name for people: `read only`. */
export function roleName(role: string): string {
  return role.replaceAll("_", " ");
}

/** Whether the role includes this. A role that is not known here includes nothing. */
export function allows(role: string, permission: Permission): boolean {
  return isRole(role) && ALLOWED[role].has(permission);
}

/** All that the role includes. */
export function permissionsOf(role: string): Permission[] {
  return PERMISSION_NAMES.filter((permission) => allows(role, permission));
}

/** The roles that include this, the one with the fewest rights first. */
export function rolesThatMay(permission: Permission): Role[] {
  return ROLES.filter((role) => ALLOWED[role].has(permission)).toReversed();
}

/** Why somebody of this role may not, in a sentence. */
export function whyNot(role: string, permission: Permission): string {
  const [least, ...others] = rolesThatMay(permission).map((one) => `${article(one)} ${roleName(one)}`);
  const who = others.length === 0 ? least : `${least} or ${others.join(" or ")}`;
  return `Your role is ${roleName(role)}. To ${PERMISSIONS[permission]}, one has to be ${who ?? "somebody else"}.`;
}

function article(role: Role): string {
  return role === "admin" || role === "analyst" ? "an" : "a";
}
