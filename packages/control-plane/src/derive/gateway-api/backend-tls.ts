/** BackendTLSPolicies: TLS from proxies to the backends of a Service (Gateway API GEP-1897, spec l7 4.7). */
import type { BackendTLSPolicy, ConfigMap, Service } from '@aquifer/model/resources';
import type { Context } from '../../collections/cell.ts';
import type { Collection, Index } from '../../collections/collection.ts';
import type { Graph } from '../../collections/graph.ts';
import { type ClusterInputs, objectKey } from '../../ingest/cluster-inputs.ts';
import type { ObjectRef } from '../../ingest/kinds.ts';
import { byAge, namespaceOf, refTo } from '../object.ts';
import type { ClientTls } from '../traffic/traffic-policy.ts';
import type { Problem } from './gateway-listener.ts';
import { rootsIn, rootsProblem } from './secret-certificate.ts';

type Target = BackendTLSPolicy['spec']['targetRefs'][number];

/** What holds for a Service, or for one of its ports. */
interface BackendTls {
  readonly source: ObjectRef;
  /** Null for every port that none is for. */
  readonly port: number | null;
  readonly tls: ClientTls;
}

interface BackendTarget {
  readonly ref: Target;
  /** Why nothing is asked of it; null if something is. */
  readonly problem: Problem | null;
}

/** A policy as it was read. */
export interface ReadBackendTls {
  readonly policy: BackendTLSPolicy;
  readonly tls: ClientTls;
  /** Of its own: TLS that cannot succeed is asked for then. */
  readonly accepted: Problem | null;
  readonly resolvedRefs: Problem | null;
  readonly targets: readonly BackendTarget[];
}

export interface BackendTlsCollections {
  /** By `namespace/name`. */
  readonly policies: Collection<ReadBackendTls>;
  /** Of a Service, by `namespace/name`. */
  tlsOf(context: Context, service: string): readonly BackendTls[];
}

export function backendTlsCollections(graph: Graph, cluster: ClusterInputs): BackendTlsCollections {
  const rivals: Index<BackendTLSPolicy> = graph.index(
    'policies of TLS by Service',
    cluster.of('BackendTLSPolicy'),
    (policy) => [...new Set(policy.spec.targetRefs.map(({ name }) => targetKey(policy, name)))],
  );
  const policies = graph.map(
    'policies of TLS',
    cluster.of('BackendTLSPolicy'),
    (policy, context): ReadBackendTls => ({
      policy,
      ...tlsOfPolicy(policy, (name) =>
        context.get(cluster.of('RootConfigMap'), objectKey(namespaceOf(policy), name)),
      ),
      targets: policy.spec.targetRefs.map((ref) => {
        const key = targetKey(policy, ref.name);
        const service = context.get(cluster.of('Service'), key);
        const others = context.lookup(rivals, key);
        return { ref, problem: targetProblem(ref, policy, service, others) };
      }),
    }),
  );
  const byService = graph.index('TLS by Service', policies, ({ policy, targets }) => [
    ...new Set(targets.map(({ ref }) => targetKey(policy, ref.name))),
  ]);
  return {
    policies,
    tlsOf: (context, key) => {
      const ports = context.get(cluster.of('Service'), key)?.spec?.ports ?? [];
      return context.lookup(byService, key).flatMap(({ policy, tls, targets }) =>
        targets
          .filter(({ ref, problem }) => problem === null && targetKey(policy, ref.name) === key)
          .map(({ ref }): BackendTls => {
            const port = ports.find(({ name }) => name === ref.sectionName)?.port;
            return { source: refTo(policy), port: ref.sectionName ? (port ?? null) : null, tls };
          }),
      );
    },
  };
}

function targetKey(policy: BackendTLSPolicy, name: string): string {
  return objectKey(namespaceOf(policy), name);
}

function targetProblem(
  { group, kind, name, sectionName = '' }: Target,
  policy: BackendTLSPolicy,
  service: Service | undefined,
  rivals: readonly BackendTLSPolicy[],
): Problem | null {
  const notFound = (text: string): Problem => {
    return { reason: 'TargetNotFound', message: `targetRefs invalid: ${text}` };
  };
  const key = targetKey(policy, name);
  if (group !== '' || kind !== 'Service') return notFound(`unsupported kind ${kind}`);
  if (service === undefined) return notFound(`reference ${key} (of kind ${kind}) not found`);
  const hasPort = service.spec?.ports?.some((port) => port.name === sectionName) ?? false;
  if (sectionName !== '' && !hasPort) {
    return notFound(`sectionName "${sectionName}" does not exist in Service ${key}`);
  }
  const older = rivals
    .filter((other) => other !== policy && byAge(other, policy) < 0)
    .find(({ spec }) =>
      spec.targetRefs.some(
        (ref) => ref.kind === kind && ref.name === name && (ref.sectionName ?? '') === sectionName,
      ),
    );
  if (older === undefined) return null;
  const message = `${policy.kind} ${objectKey(namespaceOf(older), older.metadata.name ?? '')} is older and is for the same target`;
  return { reason: 'Conflicted', message };
}

const SCHEME = 'configmap://';

/** No authority gives a certificate for such a name (RFC 6761), so that nothing is sent to anybody. */
const NOBODY: ClientTls = { mode: 'SIMPLE', sni: 'invalid', subjectAltNames: ['nobody.invalid'] };

type TlsOfPolicy = Pick<ReadBackendTls, 'tls' | 'accepted' | 'resolvedRefs'>;
type FindConfigMap = (name: string) => ConfigMap | undefined;

function tlsOfPolicy({ metadata, spec }: BackendTLSPolicy, configMap: FindConfigMap): TlsOfPolicy {
  const { validation, options = {} } = spec;
  const { hostname, subjectAltNames = [], caCertificateRefs = [] } = validation;
  const names = subjectAltNames.flatMap((name) => name.hostname ?? name.uri ?? []);
  const tls: ClientTls = {
    mode: 'SIMPLE',
    sni: hostname,
    subjectAltNames: names.length > 0 ? names : [hostname],
  };
  const strange = Object.keys(options).find((name) => name.startsWith('gateway.istio.io/'));
  if (strange !== undefined) return invalid(`options: ${strange} is unknown`);
  const wellKnown = validation.wellKnownCACertificates ?? '';
  if (wellKnown === 'System') return { tls, accepted: null, resolvedRefs: null };
  if (wellKnown !== '') return invalid(`Unknown wellKnownCACertificates: ${wellKnown}`);
  const [ref] = caCertificateRefs;
  if (ref === undefined) return invalid('there is no certificate of an authority');
  return believing(tls, ref, metadata.namespace ?? '', configMap);
}

function invalid(message: string): TlsOfPolicy {
  return { tls: NOBODY, accepted: { reason: 'Invalid', message }, resolvedRefs: null };
}

type RootsRef = NonNullable<BackendTLSPolicy['spec']['validation']['caCertificateRefs']>[number];

/** Those that the ConfigMap names, and nobody where it is none. */
function believing(
  tls: ClientTls,
  ref: RootsRef,
  namespace: string,
  configMap: FindConfigMap,
): TlsOfPolicy {
  const found = ref.kind === 'ConfigMap' && ref.group === '' ? configMap(ref.name) : undefined;
  const problem = referenceProblem(ref, namespace, found);
  if (problem !== null || found === undefined) {
    const message = `Certificate reference invalid: ${problem?.message}`;
    return {
      tls: NOBODY,
      accepted: { reason: 'NoValidCACertificate', message },
      resolvedRefs: problem === null ? null : { reason: problem.reason, message },
    };
  }
  const credentialName = `${SCHEME}${namespace}/${ref.name}`;
  return {
    tls: { ...tls, credentialName, roots: rootsIn(found) },
    accepted: null,
    resolvedRefs: null,
  };
}

function referenceProblem(
  { group, kind, name }: RootsRef,
  namespace: string,
  found: ConfigMap | undefined,
): Problem | null {
  if (group !== '' || kind !== 'ConfigMap') {
    return { reason: 'InvalidKind', message: `unsupported kind ${kind}` };
  }
  const message =
    found === undefined
      ? `reference ${namespace}/${name} (of kind ${kind}) not found`
      : rootsProblem(found);
  return message === null ? null : { reason: 'InvalidCACertificateRef', message };
}
