/** What the live line says, for every page: its state, the figures, and rows as they change. */

import { apiPath } from "./api";
import type { AlertRow, CommandRow, EventRow, Host, Tick } from "./api-types";
import { LiveStream, type LineState } from "./stream";

export const live = $state({
  line: "closed" as LineState,
  /** When the next try is, in milliseconds since 1970; null while none is planned. */
  retryAt: null as number | null,
  tick: null as Tick | null,
});

class Listeners<T> {
  #all = new Set<(value: T) => void>();

  /** Calls `listener` with each value until the returned function is called. */
  add = (listener: (value: T) => void): (() => void) => {
    this.#all.add(listener);
    return () => {
      this.#all.delete(listener);
    };
  };

  tell(value: T): void {
    for (const listener of this.#all) listener(value);
  }
}

const alerts = new Listeners<AlertRow>();
const commands = new Listeners<CommandRow>();
const hosts = new Listeners<Host[]>();
const reloads = new Listeners<void>();

export const onAlert = alerts.add;
export const onCommand = commands.add;
export const onHosts = hosts.add;
/** Something was missed: read again. */
export const onReload = reloads.add;

/** One function that calls each of `stops`. */
export function together(...stops: (() => void)[]): () => void {
  return () => {
    for (const stop of stops) stop();
  };
}

/** What is read and can be read again: a thing, or a list. */
interface Readable {
  readonly loading: boolean;
  cancel(): void;
}

/**
 * Reads at once, when something was missed, and every `everyMs` while the page is seen; until the returned
 * function is called. `mayRead` can hold back what the clock asks for.
 */
export function keepFresh(
  what: Readable,
  everyMs: number,
  read: () => Promise<void>,
  mayRead: () => boolean = () => true,
): () => void {
  void read();
  const timer = setInterval(() => {
    if (document.visibilityState === "visible" && !what.loading && mayRead()) void read();
  }, everyMs);
  return together(
    onReload(() => void read()),
    () => clearInterval(timer),
    () => what.cancel(),
  );
}

/** Hosts report often: what they say is told twice a second, the latest of each. */
const GATHER_MS = 500;
const gathered = new Map<string, Host>();

function gather(host: Host): void {
  if (gathered.size === 0) {
    setTimeout(() => {
      const all = [...gathered.values()];
      gathered.clear();
      hosts.tell(all);
    }, GATHER_MS);
  }
  gathered.set(host.id, host);
}

let stream: LiveStream | null = null;

/** Opens the line; `broken` finds out whether the session is still good. */
export function startLive(broken: () => void): void {
  stream?.close();
  stream = new LiveStream(apiPath("/stream", { topics: "alerts,commands,hosts" }), {
    state: (line, retryAt) => {
      live.line = line;
      live.retryAt = retryAt;
    },
    alert: (alert) => alerts.tell(alert),
    command: (command) => commands.tell(command),
    host: gather,
    tick: (tick) => {
      live.tick = tick;
    },
    reload: () => reloads.tell(),
    broken,
  });
}

export function stopLive(): void {
  stream?.close();
  stream = null;
  live.tick = null;
}

export function retryLive(): void {
  stream?.retryNow();
}

/** A line of its own for the events of one host or of all, while somebody watches them. */
export function watchEvents(
  host: string,
  take: (events: EventRow[]) => void,
  missed: () => void,
): () => void {
  const line = new LiveStream(apiPath("/stream", { topics: "events", host }), {
    state: () => {},
    events: take,
    reload: missed,
    broken: () => {},
  });
  return () => line.close();
}

window.addEventListener("online", retryLive);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") retryLive();
});
