import { DemandedNames } from '@aquifer/control-plane-client';
import type { WorkloadStore } from '@aquifer/control-plane-client/store';
import type { Workload } from '@aquifer/model';
import { DEMANDED } from './recording-view.ts';
import type { DemandEvent } from './thread-demands.ts';

interface Place {
  readonly clusterId: string;
  readonly nodeName: string;
}

/** Why a workload is kept though nobody asked for it by its own names. */
interface Ties {
  readonly isOfNode: boolean;
  /** Keys of the services that it serves. */
  readonly services: readonly string[];
}

/**
 * What the node has asked the control plane for, on the main thread: what threads miss, and the node's own pods. When
 * names are dropped, what only they had brought is forgotten too. Always: a service that is kept has its workloads.
 */
export class MeshDemands {
  readonly names: DemandedNames;
  readonly #place: Place;
  readonly #ties = new Map<string, Ties>();

  constructor(place: Place, names: DemandedNames = new DemandedNames()) {
    this.#place = place;
    this.names = names;
  }

  hear({ kind, names }: DemandEvent): void {
    if (kind === 'names-used') this.names.touch(names);
    else for (const name of names) this.names.ask(name);
  }

  /** The workload of a captured pod: nobody pushes it. */
  followPod(pod: { readonly namespace: string; readonly name: string }): void {
    this.names.pin(DEMANDED.pod(this.#place.clusterId, pod));
  }

  leavePod(pod: { readonly namespace: string; readonly name: string }): void {
    this.names.unpin(DEMANDED.pod(this.#place.clusterId, pod));
  }

  /** A workload came (nothing before), changed, or went (nothing after). */
  followWorkload(before: Workload | null, after: Workload | null): void {
    if (after === null) {
      if (before !== null) this.#ties.delete(before.uid);
      return;
    }
    const isOfNode = after.node !== '' && after.node === this.#place.nodeName;
    this.#ties.set(after.uid, { isOfNode, services: [...after.services.keys()] });
  }

  /** Takes what nobody wants any more from the store, and tells the control plane. */
  async forgetUnwanted(store: Pick<WorkloadStore, 'applyAddresses'>): Promise<void> {
    const removed = this.#unwanted();
    if (removed.length === 0) return;
    // In this order and at once: what is asked for from now on is subscribed to after this.
    this.names.release(removed);
    await store.applyAddresses({ resources: [], removed });
  }

  #unwanted(): readonly string[] {
    const { held } = this.names;
    const kept = new Set<string>();
    for (const [name, { aliases }] of held) {
      if (this.names.wants(name) || aliases.some((alias) => this.names.wants(alias)))
        kept.add(name);
    }
    return [...held.keys()].filter((name) => !kept.has(name) && !this.#isTied(name, kept));
  }

  #isTied(uid: string, kept: ReadonlySet<string>): boolean {
    const ties = this.#ties.get(uid);
    return ties !== undefined && (ties.isOfNode || ties.services.some((key) => kept.has(key)));
  }
}
