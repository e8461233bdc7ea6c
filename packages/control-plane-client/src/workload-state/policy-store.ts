import { type Authorization, policyKey, type Result, type Workload } from '@aquifer/model';
import { standIn } from './policy-stand-in.ts';

/** One version of a policy. Another version has another id. */
export interface KnownPolicy {
  readonly id: number;
  readonly policy: Authorization;
  /** It only stands for one that is listed and is not there. */
  readonly isAbsent: boolean;
}

/** A policy as it arrived: decoded, or why it was not. */
export interface ArrivedPolicy {
  readonly name: string;
  readonly body: Uint8Array;
  readonly decoded: Result<Authorization, string>;
}

/**
 * The policies of the mesh by their xDS names. Always: a policy that is not known denies. That is one that does not
 * decode and has no good version, and one that a workload lists though it has not come within two calls of `settle`.
 */
export class PolicyStore {
  readonly #policies = new Map<string, KnownPolicy>();
  readonly #byNamespace = new Map<string, Set<KnownPolicy>>();
  /** How many workloads list a name. */
  readonly #listings = new Map<string, number>();
  /** What denies in place of listed policies that are not here. */
  readonly #standIns = new Map<string, KnownPolicy>();
  /** Listed policies that may be on their way, or whose removal from the list may be: since the last settling, and before. */
  #missing = new Set<string>();
  #missingForLong = new Set<string>();
  /** Listed policies that did not come in time: whoever lists them later gets no time again. */
  #overdue = new Set<string>();
  #hasArrived = false;
  #lastId = 0;

  apply(arrived: readonly ArrivedPolicy[], removed: readonly string[]): void {
    for (const name of removed) this.#remove(name);
    for (const { name, body, decoded } of arrived) {
      if (decoded.ok) this.#set(name, decoded.value);
      else if (!this.#policies.has(name)) this.#set(name, standIn(name, body));
    }
    // The first batch is all there is: what is missing then is not on its way.
    if (!this.#hasArrived) {
      this.#overdue = this.#missing;
      this.#missing = new Set();
    }
    this.#hasArrived = true;
  }

  /** A workload that listed some policies lists others now; empty lists for one that came or went. */
  relist(before: readonly string[], after: readonly string[]): void {
    for (const name of new Set(after)) {
      this.#listings.set(name, (this.#listings.get(name) ?? 0) + 1);
      const isExpected = !this.#policies.has(name) && !this.#overdue.has(name);
      if (isExpected && !before.includes(name)) this.#missing.add(name);
    }
    for (const name of new Set(before)) {
      const left = (this.#listings.get(name) ?? 0) - 1;
      if (left > 0) this.#listings.set(name, left);
      else this.#listings.delete(name);
    }
  }

  /**
   * To be called now and then: a listed policy that is missing since the call before last denies from now on. Until then
   * it does not, because policies and the lists that name them arrive one after the other. Returns the names.
   */
  settle(): readonly string[] {
    const late = this.#absent(this.#missingForLong);
    this.#missingForLong = this.#missing;
    this.#missing = new Set();
    this.#overdue = new Set([...this.#absent(this.#overdue), ...late]);
    return late;
  }

  /** Policies of the workload's namespace, global ones, and those it lists by name (spec ztunnel 4.4). */
  policiesFor(workload: Workload): readonly KnownPolicy[] {
    const policies = [
      ...(this.#byNamespace.get(workload.namespace) ?? []),
      ...(this.#byNamespace.get('') ?? []),
    ];
    for (const name of workload.authorizationPolicies) {
      const policy = this.#policies.get(name);
      if (policy !== undefined) policies.push(policy);
      else if (!this.#missing.has(name) && !this.#missingForLong.has(name)) {
        policies.push(this.#standInFor(name));
      }
    }
    return policies;
  }

  *all(): Iterable<Authorization> {
    for (const { policy } of this.#policies.values()) yield policy;
  }

  /** Those of the names that a workload lists although there is no such policy. */
  #absent(names: ReadonlySet<string>): string[] {
    return [...names].filter((name) => this.#listings.has(name) && !this.#policies.has(name));
  }

  #standInFor(name: string): KnownPolicy {
    const known = this.#standIns.get(name) ?? this.#withId(standIn(name, null), true);
    this.#standIns.set(name, known);
    return known;
  }

  #set(name: string, policy: Authorization): void {
    this.#remove(name);
    const known = this.#withId(policy, false);
    this.#policies.set(name, known);
    this.#missing.delete(name);
    this.#overdue.delete(name);
    const namespace = policyNamespace(policy);
    const others = this.#byNamespace.get(namespace);
    if (others === undefined) this.#byNamespace.set(namespace, new Set([known]));
    else others.add(known);
  }

  #remove(name: string): void {
    const known = this.#policies.get(name);
    if (known === undefined) return;
    this.#policies.delete(name);
    this.#missing.add(name);
    const namespace = policyNamespace(known.policy);
    const others = this.#byNamespace.get(namespace);
    others?.delete(known);
    if (others?.size === 0) this.#byNamespace.delete(namespace);
  }

  #withId(policy: Authorization, isAbsent: boolean): KnownPolicy {
    this.#lastId += 1;
    return { id: this.#lastId, policy, isAbsent };
  }
}

/** Policies bound by selector are reached only through the workloads that list them. */
function policyNamespace(policy: Authorization): string {
  switch (policy.scope) {
    case 'global':
      return '';
    case 'namespace':
      return policy.namespace;
    case 'workload-selector':
      return `selector:${policyKey(policy)}`;
  }
}
