/** What ReferenceGrants let refer to objects of other namespaces (Gateway API GEP-709, spec l7 4.4). */
import type { ReferenceGrant } from '@aquifer/model/resources';
import type { Context } from '../../collections/cell.ts';
import type { Graph } from '../../collections/graph.ts';
import type { ClusterInputs } from '../../ingest/cluster-inputs.ts';
import { namespaceOf } from '../object.ts';

interface Referrer {
  /** A kind of the Gateway API. */
  readonly kind: string;
  readonly namespace: string;
}

interface Referent {
  /** A kind of the core group. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Within one namespace nobody asks. */
export type IsGranted = (from: Referrer, to: Referent) => boolean;

/** How grants are looked up, so that a change of them is noticed. */
export function grantLookup(graph: Graph, cluster: ClusterInputs): (context: Context) => IsGranted {
  const grants = graph.index('grants by namespace', cluster.of('ReferenceGrant'), (grant) => [
    namespaceOf(grant),
  ]);
  return (context) => (from, to) =>
    from.namespace === to.namespace ||
    context.lookup(grants, to.namespace).some((grant) => allows(grant, from, to));
}

const GATEWAY_GROUP = 'gateway.networking.k8s.io';

function allows({ spec }: ReferenceGrant, from: Referrer, to: Referent): boolean {
  return (
    (spec?.from ?? []).some(
      ({ group, kind, namespace }) =>
        group === GATEWAY_GROUP && kind === from.kind && namespace === from.namespace,
    ) &&
    (spec?.to ?? []).some(
      ({ group, kind, name }) =>
        group === '' && kind === to.kind && (name === undefined || name === to.name),
    )
  );
}
