import {
  type Authorization,
  CompiledPolicies,
  type CompiledPolicy,
  compilePolicy,
} from '@aquifer/model';

/** One version of a policy; its id is its own. */
export interface VersionedPolicy {
  readonly id: number;
  readonly policy: Authorization;
}

/** Policies of the pods on this node, each compiled once per thread. */
export class PolicyTable {
  readonly #compiled = new Map<number, CompiledPolicy>();
  /** What is in use, by the ids it is made of: pods of a namespace often have the same. */
  readonly #combined = new Map<string, WeakRef<CompiledPolicies>>();

  add(policies: readonly VersionedPolicy[]): void {
    for (const { id, policy } of policies) this.#compiled.set(id, compilePolicy(policy));
  }

  remove(ids: readonly number[]): void {
    for (const id of ids) this.#compiled.delete(id);
    for (const [key, combined] of this.#combined) {
      if (combined.deref() === undefined) this.#combined.delete(key);
    }
  }

  /** Of the same policies the same object, as long as anybody has it. Every id must have been added before. */
  combine(ids: readonly number[]): CompiledPolicies {
    const key = ids.join(',');
    const known = this.#combined.get(key)?.deref();
    if (known !== undefined) return known;
    const combined = new CompiledPolicies(ids.map((id) => this.#compiled.get(id)!));
    this.#combined.set(key, new WeakRef(combined));
    return combined;
  }
}
