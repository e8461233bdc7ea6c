/** What a Secret or a ConfigMap of the cluster is as a secret of Envoy. */
import type { SecretSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import type { Context } from '../../../collections/cell.ts';
import { type ClusterInputs, objectKey } from '../../../ingest/cluster-inputs.ts';
import type { ObjectRef } from '../../../ingest/kinds.ts';
import {
  certificateProblem,
  keyPairOf,
  rootsIn,
  rootsOf,
} from '../../gateway-api/secret-certificate.ts';
import { refTo } from '../../object.ts';
import type { SecretReference } from '../cluster-secrets.ts';
import type { Init } from '../packed.ts';

type Content = NonNullable<Init<typeof SecretSchema>['type']>;

interface FoundContent {
  readonly type: Content;
  readonly source: ObjectRef;
}

/** Null for what is not there, or no proxy could use. */
export function secretContent(
  { scheme, namespace, name, part }: SecretReference & { readonly namespace: string },
  cluster: ClusterInputs,
  context: Context,
): FoundContent | null {
  if (scheme === 'configmap') return rootsOfConfigMap(objectKey(namespace, name), cluster, context);
  const own = objectKey(namespace, name);
  return part === 'pair'
    ? pairOfSecret(own, cluster, context)
    : (rootsOfSecret(`${own}-cacert`, cluster, context) ?? rootsOfSecret(own, cluster, context));
}

function rootsOfConfigMap(
  key: string,
  cluster: ClusterInputs,
  context: Context,
): FoundContent | null {
  const found = context.get(cluster.of('RootConfigMap'), key);
  const roots = found === undefined ? '' : rootsIn(found);
  if (found === undefined || roots === '') return null;
  return { type: believed(Buffer.from(roots), new Uint8Array()), source: refTo(found) };
}

function rootsOfSecret(key: string, cluster: ClusterInputs, context: Context): FoundContent | null {
  const found = context.get(cluster.of('Secret'), key);
  const held = found === undefined ? null : rootsOf(found);
  if (found === undefined || held === null) return null;
  return { type: believed(held.roots, held.crl), source: refTo(found) };
}

function pairOfSecret(key: string, cluster: ClusterInputs, context: Context): FoundContent | null {
  const found = context.get(cluster.of('Secret'), key);
  const pair = found === undefined ? null : keyPairOf(found);
  if (found === undefined || pair === null || certificateProblem(found) !== null) return null;
  const value = { certificateChain: inline(pair.certificate), privateKey: inline(pair.key) };
  return { type: { case: 'tlsCertificate', value }, source: refTo(found) };
}

function believed(roots: Uint8Array, crl: Uint8Array): Content {
  const value = { trustedCa: inline(roots), ...(crl.length > 0 && { crl: inline(crl) }) };
  return { case: 'validationContext', value };
}

function inline(value: Uint8Array) {
  return { specifier: { case: 'inlineBytes' as const, value } };
}
