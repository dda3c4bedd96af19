/** The live line to the server: one `EventSource` that comes back by itself, and says how it is. */

import type { AlertRow, CommandRow, EventRow, Host, Tick } from "./api-types";

export type LineState = "connecting" | "live" | "waiting" | "closed";

export interface StreamHandlers {
  state(state: LineState, retryAt: number | null): void;
  alert?(alert: AlertRow): void;
  command?(command: CommandRow): void;
  host?(host: Host): void;
  events?(events: EventRow[]): void;
  tick?(tick: Tick): void;
  /** Something was missed: what is on the page must be read again. */
  reload(): void;
  /** The line broke: the caller finds out whether the session is still good. */
  broken(): void;
}

/** The server ticks every two seconds; after this long without a word the line is dead. */
const SILENCE_MS = 12_000;
const WAIT_FIRST_MS = 500;
const WAIT_MAX_MS = 15_000;

/** How long to wait before try number `attempt` (from 0), with `random` in 0..1 as jitter. */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(WAIT_MAX_MS, WAIT_FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}

export class LiveStream {
  #source: EventSource | null = null;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #silence: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(
    private readonly url: string,
    private readonly handlers: StreamHandlers,
  ) {
    this.#connect();
  }

  /** Tries again at once: the person asked, or the network came back. */
  retryNow(): void {
    if (this.#closed || this.#retry === null) return;
    clearTimeout(this.#retry);
    this.#retry = null;
    this.#connect();
  }

  close(): void {
    this.#closed = true;
    this.#drop();
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    this.handlers.state("closed", null);
  }

  #connect(): void {
    this.#drop();
    this.handlers.state("connecting", null);
    const source = new EventSource(this.url);
    this.#source = source;
    this.#listenForSilence();
    source.onopen = () => {
      this.#attempt = 0;
      this.#listenForSilence();
      this.handlers.state("live", null);
      // What happened before the line stood is not sent again.
      this.handlers.reload();
    };
    source.onerror = () => this.#fail();
    this.#on<AlertRow>(source, "alert", (alert) => this.handlers.alert?.(alert));
    this.#on<CommandRow>(source, "command", (command) => this.handlers.command?.(command));
    this.#on<Host>(source, "host", (host) => this.handlers.host?.(host));
    this.#on<{ events: EventRow[] }>(source, "events", (batch) =>
      this.handlers.events?.(batch.events),
    );
    this.#on<Tick>(source, "tick", (tick) => this.handlers.tick?.(tick));
    this.#on<{ missed: number }>(source, "lagged", () => this.handlers.reload());
  }

  #on<T>(source: EventSource, name: string, handle: (value: T) => void): void {
    source.addEventListener(name, (message: MessageEvent<string>) => {
      this.#listenForSilence();
      let value: T;
      try {
        value = JSON.parse(message.data) as T;
      } catch {
        this.handlers.reload();
        return;
      }
      handle(value);
    });
  }

  #fail(): void {
    if (this.#closed || this.#retry !== null) return;
    this.#drop();
    const wait = backoffMs(this.#attempt, Math.random());
    this.#attempt += 1;
    this.handlers.state("waiting", Date.now() + wait);
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#connect();
    }, wait);
    this.handlers.broken();
  }

  #listenForSilence(): void {
    if (this.#silence !== null) clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#fail(), SILENCE_MS);
  }

  #drop(): void {
    if (this.#silence !== null) clearTimeout(this.#silence);
    this.#silence = null;
    if (this.#source === null) return;
    this.#source.onopen = null;
    this.#source.onerror = null;
    this.#source.close();
    this.#source = null;
  }
}
