/** The rules of a project while somebody edits them: what they were, what is written, and what the server says. */

import { ApiError, type FieldFault } from "./api";
import { Attempt } from "./attempt.svelte";
import { guardApi } from "./guard-api";
import { type Faults, type RulesDraft, draftOf, faultsOf, jsonOfRules, rulesFromJson, rulesOf, withoutEmpty } from "./guard-rules";
import { type RuleChange, changesOf, isSame, isSameRules, merged } from "./guard-rules-change";
import type { GuardRules, Rules } from "./guard-types";
import { Resource } from "./resource.svelte";

export class RulesEditor {
  /** As the server has them. */
  readonly latest = new Resource<GuardRules>((signal) => guardApi.rules.read(this.project, signal));
  readonly saving = new Attempt();

  /** What the form began with; null until it was read. */
  base = $state.raw<GuardRules | null>(null);
  draft = $state<RulesDraft>(draftOf({}));
  view = $state<"form" | "json">("form");
  json = $state("");
  /** What the server said of the fields at the last try. */
  #told = $state.raw<Faults>({});
  /** The rules that it said that of. */
  #toldOf: Rules = {};
  /** Fields that others had changed, too, when the changes were put together. */
  both = $state.raw<string[]>([]);

  readonly #parsed = $derived.by(() => (this.view === "json" ? rulesFromJson(this.json) : null));
  readonly #made = $derived.by(() => rulesOf(this.draft));

  /** The rules as they are written; null where the JSON is none. */
  readonly rules = $derived.by((): Rules | null => {
    if (this.#parsed === null) return this.#made.rules;
    return "rules" in this.#parsed ? this.#parsed.rules : null;
  });
  /** What is wrong with the JSON as a whole. */
  readonly jsonFault = $derived(this.#parsed !== null && "fault" in this.#parsed ? this.#parsed.fault : null);
  /** What is wrong, by the field: what is seen here, and what the server said of the same text. */
  readonly faults = $derived.by((): Faults => {
    const here = this.view === "json" ? (this.rules === null ? {} : rulesOf(draftOf(this.rules)).faults) : this.#made.faults;
    const all: Faults = { ...here };
    for (const [field, said] of Object.entries(this.#told)) {
      if (this.rules !== null && isAsTold(this.rules, this.#toldOf, field)) {
        all[field] = [...(all[field] ?? []), ...said];
      }
    }
    return all;
  });
  readonly changes = $derived.by((): RuleChange[] =>
    this.base === null || this.rules === null ? [] : changesOf(normal(this.base.rules), this.rules),
  );
  readonly isChanged = $derived(this.base !== null && (this.rules === null || this.changes.length > 0));
  /** Somebody else saved a version after the one that this began with. */
  readonly isBehind = $derived(
    this.base !== null && this.latest.value !== null && this.latest.value.version !== this.base.version,
  );

  constructor(readonly project: string) {}

  /** Reads the rules as they are; they are shown unless something is half written. */
  async read(): Promise<void> {
    await this.latest.load();
    const now = this.latest.value;
    if (now !== null && now.version !== this.base?.version && !this.isChanged) this.show(now);
  }

  /** Shows these, and forgets what was written. */
  show(rules: GuardRules): void {
    this.base = rules;
    this.#write(rules.rules);
    this.#told = {};
    this.both = [];
    this.saving.refused = null;
  }

  /** Drops what was written. */
  discard(): void {
    const now = this.latest.value ?? this.base;
    if (now !== null) this.show(now);
  }

  /** Nothing here is worth a warning any more: the project is gone. */
  forget(): void {
    this.base = null;
  }

  /** From the form to its JSON and back; stays where the JSON is none. */
  look(view: "form" | "json"): void {
    if (view === this.view) return;
    const rules = this.rules;
    if (view === "json") this.json = jsonOfRules(rules ?? {});
    else if (rules === null) return;
    else this.draft = draftOf(rules);
    this.view = view;
  }

  /** Puts what was written onto what somebody else saved meanwhile. */
  catchUp(): void {
    const now = this.latest.value;
    if (this.base === null || now === null || this.rules === null) return;
    const { rules, both } = merged(normal(this.base.rules), this.rules, normal(now.rules));
    this.base = now;
    this.#write(rules);
    this.both = both;
    this.saving.refused = null;
  }

  /** Saves what is written as the next version; true where that was done. */
  async save(note: string): Promise<boolean> {
    let done = false;
    await this.saving.run(async () => {
      const { base, rules } = this;
      if (base === null || rules === null) return;
      try {
        const saved = await guardApi.rules.save(this.project, withoutEmpty(rules), base.version, note);
        this.latest.value = saved;
        this.show(saved);
        done = true;
      } catch (cause) {
        if (!(cause instanceof ApiError)) throw cause;
        if (cause.status === 409) await this.latest.load();
        else this.hear(cause.fields, rules);
        throw cause;
      }
    });
    return done;
  }

  /** Takes what the server says of fields; false where it says nothing of any. */
  hear(said: readonly FieldFault[], of: Rules): boolean {
    this.#told = faultsOf(said);
    this.#toldOf = of;
    return Object.keys(this.#told).length > 0;
  }

  #write(rules: Rules): void {
    this.draft = draftOf(rules);
    this.json = jsonOfRules(normal(rules));
  }
}

/** The rules as the form would write them. */
function normal(rules: Rules): Rules {
  return rulesOf(draftOf(rules)).rules;
}

/** Whether a field is still what the server spoke of; where it is no field of theirs, all of the rules. */
function isAsTold(now: Rules, then: Rules, field: string): boolean {
  if (!Object.hasOwn(then, field)) return isSameRules(now, then);
  return isSame(now[field], then[field]);
}
