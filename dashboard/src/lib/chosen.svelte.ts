/** The row of a list that the address names, and the whole of it as it is read. */

import { ApiError } from "./api";

export class Chosen<T extends { id: string }> {
  /** What is known of it; null while nothing is. */
  value = $state.raw<T | null>(null);
  /** Why it cannot be read. */
  missing = $state.raw<ApiError | null>(null);
  #id: string | null = null;
  /** What the live line told while it was being read: newer than what is read. */
  #told: T | null = null;

  constructor(
    private readonly read: (id: string) => Promise<T>,
    /** What a live row leaves of what was read. */
    private readonly merge: (live: T, before: T | null) => T = (live) => live,
  ) {}

  /** Another one, or none. `known`, its row in the list, is shown until the whole of it is there. */
  choose(id: string | null, known: T | null): void {
    this.#id = id;
    this.value = known;
    this.missing = null;
    void this.again();
  }

  /** Reads it again. */
  async again(): Promise<void> {
    const id = this.#id;
    if (id === null) return;
    this.missing = null;
    this.#told = null;
    try {
      const found = await this.read(id);
      if (found.id !== this.#id) return;
      const told: T | null = this.#told;
      this.value = told === null ? found : this.merge(told, found);
    } catch (cause) {
      if (id === this.#id) this.missing = cause instanceof ApiError ? cause : new ApiError(0, "", String(cause));
    }
  }

  /** Takes what the live line tells, where it is of this one. */
  take(row: T): void {
    if (row.id !== this.#id) return;
    this.#told = row;
    this.value = this.merge(row, this.value);
  }
}
