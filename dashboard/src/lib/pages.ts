/** The pages there are: what they are for, how they are reached, and who can use them. */

import type { IconName } from "../components/Icon.svelte";
import type { Permission } from "./roles";

export interface PageLink {
  href: string;
  name: string;
  icon: IconName;
  /** After `g`. */
  key: string;
  /** On the bar at the bottom of a narrow screen; the others are behind "More". */
  near: boolean;
  /** What one has to be allowed for the page to be of use; null where everybody is. */
  needs: Permission | null;
}

export interface PageGroup {
  /** What its pages are for; none where the page speaks for itself. */
  name: string;
  pages: readonly PageLink[];
}

export const PAGE_GROUPS: readonly PageGroup[] = [
  {
    name: "",
    pages: [{ href: "/", name: "Overview", icon: "overview", key: "o", near: true, needs: null }],
  },
  {
    name: "Watch",
    pages: [
      { href: "/hosts", name: "Hosts", icon: "hosts", key: "h", near: true, needs: "read_hosts" },
      { href: "/alerts", name: "Alerts", icon: "alerts", key: "a", near: true, needs: "read_alerts" },
      { href: "/events", name: "Events", icon: "events", key: "e", near: true, needs: "read_events" },
      { href: "/query", name: "Query", icon: "query", key: "q", near: false, needs: "read_events" },
    ],
  },
  {
    name: "Protect",
    pages: [{ href: "/guard", name: "App guard", icon: "guard", key: "g", near: false, needs: "read_guard" }],
  },
  {
    name: "Respond",
    pages: [
      { href: "/commands", name: "Commands", icon: "commands", key: "c", near: false, needs: "read_commands" },
      {
        href: "/indicators",
        name: "Indicators",
        icon: "indicators",
        key: "i",
        near: false,
        needs: "read_indicators",
      },
    ],
  },
  {
    name: "Run",
    pages: [
      { href: "/access", name: "Access", icon: "access", key: "p", near: false, needs: null },
      { href: "/webhooks", name: "Webhooks", icon: "webhooks", key: "w", near: false, needs: "read_webhooks" },
      { href: "/audit", name: "Audit log", icon: "audit", key: "l", near: false, needs: "read_audit" },
      { href: "/storage", name: "Storage", icon: "storage", key: "s", near: false, needs: null },
    ],
  },
];

export const PAGE_LINKS: readonly PageLink[] = PAGE_GROUPS.flatMap((group) => group.pages);
