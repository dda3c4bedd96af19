/** Who is signed in. */

import { api, ApiError, onSignedOut, useCsrf } from "./api";
import type { Session } from "./api-types";
import { notify } from "./notices.svelte";
import { startLive, stopLive } from "./live.svelte";
import { type Permission, permissionsOf, whyNot } from "./roles";

type State = "asking" | "unreachable" | "out" | "in";

class SessionState {
  state = $state<State>("asking");
  user = $state("");
  role = $state("");
  /** Set where a session ended by itself, to say so on the sign-in page. */
  ended = $state(false);

  /** What the server says that they may do. */
  #permissions = $state.raw<ReadonlySet<string>>(new Set());

  /** Whether they may do this; the server decides again. */
  may(permission: Permission): boolean {
    return this.#permissions.has(permission);
  }

  /** Why they may not do this, in a sentence; null where they may. */
  whyNot(permission: Permission): string | null {
    return this.may(permission) ? null : whyNot(this.role, permission);
  }

  /** Asks the server whether the cookie is still good. */
  async ask(): Promise<void> {
    try {
      this.enter(await api.session.read());
    } catch (cause) {
      if (cause instanceof ApiError && cause.status === 401) this.leave(this.state === "in");
      else if (this.state !== "in") this.state = "unreachable";
    }
  }

  enter(session: Session): void {
    useCsrf(session.csrf);
    this.user = session.user;
    this.role = session.role;
    this.#permissions = new Set(session.permissions ?? permissionsOf(session.role));
    this.ended = false;
    if (this.state !== "in") {
      this.state = "in";
      startLive(() => this.ask());
    }
  }

  leave(ended: boolean): void {
    stopLive();
    useCsrf(null);
    this.ended = ended;
    this.state = "out";
  }

  async signOut(): Promise<void> {
    try {
      await api.session.signOut();
    } catch (cause) {
      // Whoever is signed out already is signed out; otherwise the cookie is still good.
      if (!(cause instanceof ApiError && cause.status === 401)) {
        notify("bad", "Not signed out: the server did not answer");
        return;
      }
    }
    this.leave(false);
  }
}

export const session = new SessionState();

onSignedOut(() => {
  if (session.state === "in") session.leave(true);
});
