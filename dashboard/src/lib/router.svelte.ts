/** Where we are, by the address bar; links are ordinary links. */

import { projectOf } from "./guard-events";

export interface Route {
  /** Decoded path segments. */
  segments: string[];
  path: string;
  query: URLSearchParams;
}

function read(): Route {
  const { pathname, search } = window.location;
  const segments = pathname
    .split("/")
    .filter((segment) => segment !== "")
    .map((segment) => {
      try {
        return decodeURIComponent(segment);
      } catch {
        return segment;
      }
    });
  return { segments, path: pathname, query: new URLSearchParams(search) };
}

class Router {
  route = $state.raw(read());

  /** Fetches what a route needs to be shown; null where all is there. The route waits for it. */
  prepare: (route: Route) => Promise<void> | null = () => null;
  #turn = 0;

  constructor() {
    window.addEventListener("popstate", () => this.#show(read()));
    document.addEventListener("click", (click) => this.#follow(click));
  }

  go(href: string, how: { replace?: boolean } = {}): void {
    if (how.replace === true) history.replaceState(null, "", href);
    else history.pushState(null, "", href);
    this.#show(read());
  }

  /** Changes some of the query in place: filters are part of the address, not of the history. */
  setQuery(changes: Record<string, string | null>): void {
    const query = new URLSearchParams(this.route.query);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === "") query.delete(name);
      else query.set(name, value);
    }
    const text = query.toString();
    this.go(`${this.route.path}${text === "" ? "" : `?${text}`}`, { replace: true });
  }

  #show(route: Route): void {
    this.#turn += 1;
    const turn = this.#turn;
    const ready = this.prepare(route);
    if (ready === null) {
      this.route = route;
      return;
    }
    void ready.then(() => {
      if (turn === this.#turn) this.route = route;
    });
  }

  #follow(click: MouseEvent): void {
    if (click.defaultPrevented || click.button !== 0) return;
    if (click.metaKey || click.ctrlKey || click.shiftKey || click.altKey) return;
    const link = click.target instanceof Element ? click.target.closest("a") : null;
    if (link === null || link.target !== "" || link.hasAttribute("download")) return;
    const url = new URL(link.href, window.location.href);
    if (url.origin !== window.location.origin || url.pathname.startsWith("/api/")) return;
    if (link.getAttribute("href")?.startsWith("#") === true) return;
    click.preventDefault();
    this.go(url.pathname + url.search);
  }
}

export const router = new Router();

/** The address of a host's page. */
export function hostHref(host: string, query: Record<string, string> = {}): string {
  const text = new URLSearchParams(query).toString();
  return `/hosts/${encodeURIComponent(host)}${text === "" ? "" : `?${text}`}`;
}

/** The address of an alert. */
export function alertHref(alert: string): string {
  return `/alerts/${encodeURIComponent(alert)}`;
}

/** The address of a command. */
export function commandHref(command: string): string {
  return `/commands/${encodeURIComponent(command)}`;
}

/** The address of a webhook. */
export function webhookHref(webhook: string): string {
  return `/webhooks/${encodeURIComponent(webhook)}`;
}

/** The address of a guarded application; without one, of them all. */
export function guardHref(project: string | null, query: Record<string, string> = {}): string {
  const text = new URLSearchParams(query).toString();
  const place = project === null ? "/guard" : `/guard/${encodeURIComponent(project)}`;
  return `${place}${text === "" ? "" : `?${text}`}`;
}

/** The address of whoever sent something, by its source: a guarded application, or a host. */
export function sourceHref(source: string): string {
  const project = projectOf(source);
  return project === null ? hostHref(source) : guardHref(project);
}

/** The address of a search in the events. */
export function eventsHref(query: Record<string, string | number>): string {
  const text = new URLSearchParams(
    Object.entries(query).map(([name, value]) => [name, String(value)]),
  ).toString();
  return `/events${text === "" ? "" : `?${text}`}`;
}
