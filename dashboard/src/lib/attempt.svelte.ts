/** One thing a reader asks for at a time, and why it was refused. */

import { messageOf } from "./api";

export class Attempt {
  busy = $state(false);
  /** Why the last try failed; null where it did not. */
  refused = $state<string | null>(null);

  /** Does `what`, unless something is being done already. */
  async run(what: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.refused = null;
    try {
      await what();
    } catch (cause) {
      this.refused = messageOf(cause);
    } finally {
      this.busy = false;
    }
  }
}

/** The removal of one of several things: asked about first, then tried. */
export class Removal<T> extends Attempt {
  /** What the reader is asked about; null while there is no question. */
  asked = $state.raw<T | null>(null);

  ask(one: T): void {
    this.refused = null;
    this.asked = one;
  }

  drop = (): void => {
    this.asked = null;
  };
}
