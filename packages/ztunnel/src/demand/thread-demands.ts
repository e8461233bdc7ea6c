import type { DemandChange } from '@aquifer/control-plane-client';
import type { WorkloadSnapshot, WorkloadView } from '@aquifer/control-plane-client/snapshot';
import { RecordingView } from './recording-view.ts';

/** How long a connection waits for what decides about it; as long as for its own pod. */
const DECISION_MS = 5_000;
/** How long it waits for what is only shown in metrics and logs, and a query for what other nameservers may know. */
const DESCRIPTION_MS = 1_000;
/** How often the main thread hears which names are in use. */
const USE_REPORT_MS = 10_000;

/** What a thread tells the main thread about names. */
export type DemandEvent =
  | { readonly kind: 'names-missing'; readonly names: readonly string[] }
  | { readonly kind: 'names-used'; readonly names: readonly string[] };

interface ThreadDemandsDeps {
  readonly mesh: { readonly current: WorkloadSnapshot };
  readonly send: (event: DemandEvent) => void;
  /** Default 5 s. */
  readonly decisionMs?: number;
  /** Default 1 s. */
  readonly descriptionMs?: number;
  /** Default 10 s. */
  readonly useReportMs?: number;
}

/**
 * What the connections of one thread wait for, where the mesh is known on demand. Always: what the control plane has said
 * to a name is in the thread's snapshot before anybody who waits for the name goes on; nobody waits for longer than the
 * limit, and nobody for what another one waits for.
 */
export class ThreadDemands {
  readonly #deps: Required<ThreadDemandsDeps>;
  /** Names that the control plane has answered and the main thread follows. */
  readonly #answered = new Set<string>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #used = new Set<string>();
  #useReport: NodeJS.Timeout | null = null;

  constructor(deps: ThreadDemandsDeps) {
    this.#deps = {
      decisionMs: DECISION_MS,
      descriptionMs: DESCRIPTION_MS,
      useReportMs: USE_REPORT_MS,
      ...deps,
    };
  }

  /** Decides, and again when what it looked for has come; after 5 s with what is known. `also` are names to ask for too. */
  decide<T>(decision: (view: WorkloadView) => T, also: readonly string[] = []): Promise<T> {
    return this.#look(decision, { also, limitMs: this.#deps.decisionMs });
  }

  /** The same for what one can do without, so that it delays nobody by more than a second. */
  describe<T>(description: (view: WorkloadView) => T, also: readonly string[] = []): Promise<T> {
    return this.#look(description, { also, limitMs: this.#deps.descriptionMs });
  }

  /** To be called when what was answered is in the snapshot. */
  hear({ answered, dropped }: DemandChange): void {
    for (const name of dropped) {
      this.#answered.delete(name);
      this.#used.delete(name);
    }
    for (const name of answered) {
      this.#answered.add(name);
      const waiting = this.#waiting.get(name) ?? [];
      this.#waiting.delete(name);
      for (const goOn of waiting) goOn();
    }
  }

  async #look<T>(
    decision: (view: WorkloadView) => T,
    { also, limitMs }: { readonly also: readonly string[]; readonly limitMs: number },
  ): Promise<T> {
    const deadlineMs = performance.now() + limitMs;
    for (;;) {
      const view = new RecordingView(this.#deps.mesh.current);
      const decided = decision(view);
      const missing = this.#unanswered([...view.missing, ...also]);
      if (missing.length === 0) {
        this.#noteUse([...view.found, ...view.missing, ...also]);
        return decided;
      }
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return decided;
      await this.#wait(missing, leftMs);
    }
  }

  #unanswered(names: readonly string[]): string[] {
    return [...new Set(names)].filter((name) => !this.#answered.has(name));
  }

  /** Until all are answered, or time is up. */
  async #wait(names: readonly string[], limitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const open = new Map(names.map((name) => [name, () => heard(name)]));
    const heard = (name: string): void => {
      open.delete(name);
      if (open.size === 0) resolve();
    };
    const timer = setTimeout(resolve, limitMs);
    const unasked = names.filter((name) => !this.#waiting.has(name));
    for (const [name, goOn] of open) this.#add(name, goOn);
    if (unasked.length > 0) this.#deps.send({ kind: 'names-missing', names: unasked });
    await promise;
    clearTimeout(timer);
    for (const [name, goOn] of open) this.#remove(name, goOn);
  }

  #add(name: string, goOn: () => void): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) this.#waiting.set(name, new Set([goOn]));
    else waiting.add(goOn);
  }

  #remove(name: string, goOn: () => void): void {
    const waiting = this.#waiting.get(name);
    waiting?.delete(goOn);
    if (waiting?.size === 0) this.#waiting.delete(name);
  }

  #noteUse(names: readonly string[]): void {
    for (const name of names) if (this.#answered.has(name)) this.#used.add(name);
    if (this.#used.size === 0 || this.#useReport !== null) return;
    this.#useReport = setTimeout(() => this.#reportUse(), this.#deps.useReportMs).unref();
  }

  #reportUse(): void {
    this.#useReport = null;
    const names = [...this.#used];
    this.#used = new Set();
    if (names.length > 0) this.#deps.send({ kind: 'names-used', names });
  }
}
