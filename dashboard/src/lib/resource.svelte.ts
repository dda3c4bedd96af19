/** What is read from the server: a single thing, or a list that goes on. */

import { untrack } from "svelte";
import { ApiError, type PageQuery } from "./api";
import type { Page } from "./api-types";

function asApiError(cause: unknown): ApiError {
  return cause instanceof ApiError ? cause : new ApiError(0, "Something broke", String(cause));
}

function isAbort(cause: unknown): boolean {
  return cause instanceof DOMException && cause.name === "AbortError";
}

/** One thing. While it is read again the old value stays. */
export class Resource<T> {
  value = $state.raw<T | null>(null);
  error = $state.raw<ApiError | null>(null);
  loading = $state(false);
  #running: AbortController | null = null;

  constructor(private readonly read: (signal: AbortSignal) => Promise<T>) {}

  /** Reads it; with `fresh` what was there before is dropped first. */
  load(fresh = false): Promise<void> {
    return untrack(() => this.#load(fresh));
  }

  cancel(): void {
    this.#running?.abort();
    this.#running = null;
  }

  async #load(fresh: boolean): Promise<void> {
    this.cancel();
    const running = new AbortController();
    this.#running = running;
    if (fresh) this.value = null;
    this.loading = true;
    try {
      const value = await this.read(running.signal);
      if (running.signal.aborted) return;
      this.value = value;
      this.error = null;
    } catch (cause) {
      if (isAbort(cause) || running.signal.aborted) return;
      this.error = asApiError(cause);
    } finally {
      if (this.#running === running) {
        this.#running = null;
        this.loading = false;
      }
    }
  }
}

/** A list that lives on for days must not grow for days. */
const ROWS_MAX = 2000;

/** A list in pages, newest first, that live rows join. */
export class PagedList<T extends { id: string }> {
  rows = $state.raw<T[] | null>(null);
  error = $state.raw<ApiError | null>(null);
  loading = $state(false);
  cursor = $state<string | null>(null);
  #running: AbortController | null = null;

  constructor(
    private readonly read: (query: PageQuery, signal: AbortSignal) => Promise<Page<T>>,
    private readonly limit = 100,
  ) {}

  /** Reads the first page; with `fresh` the rows before go first. */
  load(query: PageQuery, fresh = true): Promise<void> {
    return untrack(() => this.#load(query, fresh));
  }

  /** Reads the next page behind what is there. */
  async more(query: PageQuery): Promise<void> {
    if (this.cursor === null || this.loading) return;
    await this.#run({ ...query, cursor: this.cursor }, (page) => {
      const known = new Set(this.rows?.map((row) => row.id));
      this.rows = [...(this.rows ?? []), ...page.data.filter((row) => !known.has(row.id))];
    });
  }

  /** Puts a live row in its place: over its older self, or on top; out where `keep` is false. */
  put(row: T, keep = true): void {
    const rows = this.rows;
    if (rows === null) return;
    const at = rows.findIndex((other) => other.id === row.id);
    if (!keep) {
      if (at >= 0) this.rows = rows.toSpliced(at, 1);
    } else if (at >= 0) this.rows = rows.with(at, row);
    else this.rows = [row, ...rows.slice(0, ROWS_MAX - 1)];
  }

  /** Puts many live rows over their older selves; new ones join only where the list is whole. */
  putAll(changed: readonly T[]): void {
    if (this.rows === null) return;
    const byId = new Map(changed.map((row) => [row.id, row]));
    const rows = this.rows.map((row) => {
      const now = byId.get(row.id);
      byId.delete(row.id);
      return now ?? row;
    });
    this.rows = this.cursor === null ? [...byId.values(), ...rows] : rows;
  }

  remove(id: string): void {
    this.rows = this.rows?.filter((row) => row.id !== id) ?? null;
  }

  cancel(): void {
    this.#running?.abort();
    this.#running = null;
  }

  async #load(query: PageQuery, fresh: boolean): Promise<void> {
    if (fresh) this.rows = null;
    await this.#run(query, (page) => {
      this.rows = page.data;
    });
  }

  async #run(query: PageQuery, take: (page: Page<T>) => void): Promise<void> {
    this.cancel();
    const running = new AbortController();
    this.#running = running;
    this.loading = true;
    try {
      const page = await this.read({ limit: this.limit, ...query }, running.signal);
      if (running.signal.aborted) return;
      take(page);
      this.cursor = page.next_cursor ?? null;
      this.error = null;
    } catch (cause) {
      if (isAbort(cause) || running.signal.aborted) return;
      this.error = asApiError(cause);
    } finally {
      if (this.#running === running) {
        this.#running = null;
        this.loading = false;
      }
    }
  }
}
