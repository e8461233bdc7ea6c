/**
 * The Secrets that gateways are served, by view (spec l7 7.4): what their listeners and rules name, and what they may have.
 *
 * Always: a key goes to nobody who has not proved an account. Never: to an account because of what its proxy says of itself.
 */
import type { Gateway } from '@aquifer/model/resources';
import { SecretSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import { create } from '@bufbuild/protobuf';
import type { Context } from '../../../collections/cell.ts';
import type { Collection, Index } from '../../../collections/collection.ts';
import type { Graph } from '../../../collections/graph.ts';
import { type ClusterInputs, objectKey } from '../../../ingest/cluster-inputs.ts';
import type { ObjectRef } from '../../../ingest/kinds.ts';
import { gatewayOfSet } from '../../gateway-api/gateway-api-collections.ts';
import type { ServerTls } from '../../gateway-api/gateway-listener.ts';
import { generatedName, isManual } from '../../gateway-api/gateway-services.ts';
import { GATEWAY_CONTROLLER, SERVICE_ACCOUNT_ANNOTATION } from '../../labels.ts';
import { annotationsOf } from '../../object.ts';
import { trafficPolicyAt } from '../../traffic/traffic-policy.ts';
import { pairName, parseSecretName, rootsName, type SecretReference } from '../cluster-secrets.ts';
import type { WantedPort } from '../outbound/called-ports.ts';
import { encoded, isSameOwned, type OwnedResource, ownedBy } from '../owned-resource.ts';
import { userTls } from '../upstream-tls.ts';
import { secretContent } from './secret-content.ts';
import type { GatewayPort, GatewayServer } from './servers.ts';

/** Of a gateway, and all that are like it. */
interface SecretClient {
  readonly key: string;
  readonly namespace: string;
  /** That it has proved; empty for none. */
  readonly account: string;
}

/** Whether an account, `namespace/name`, may read the Secrets of its namespace; undefined while nobody has asked. */
export type SecretReaders = Collection<'allowed' | 'refused'>;

/** A name in somebody's configuration. */
interface NamedSecret {
  readonly client: SecretClient;
  readonly name: string;
  /** The listeners of the Gateway API that have it; others name what is beside the gateway. */
  readonly listeners: readonly ObjectRef[];
}

export interface SecretCollections {
  readonly secrets: Collection<OwnedResource>;
  /** Accounts of which it must be known whether they may read Secrets, `namespace/name`. */
  readonly accounts: Collection<string>;
}

export interface SecretSources {
  readonly graph: Graph;
  readonly cluster: ClusterInputs;
  readonly readers: SecretReaders;
  readonly clients: Collection<SecretClient>;
  /** What each client listens for, by its key. */
  portsOf(context: Context, key: string): readonly GatewayPort[];
  /** What clients call, by client and cluster. */
  readonly called: Collection<WantedPort>;
}

export function secretCollections(sources: SecretSources): SecretCollections {
  const { graph, clients, portsOf } = sources;
  const credentials = credentialsByOwner(sources);
  const named = graph.flatMap(
    'Secrets that gateways name',
    clients,
    (client, context): readonly (readonly [string, NamedSecret])[] => {
      const servers = portsOf(context, client.key).flatMap((port) => port.servers);
      const byName = new Map<string, ObjectRef[]>();
      for (const server of servers) {
        for (const name of namesOfServer(server)) {
          const own = server.ruledBy === 'routes' ? [server.source] : [];
          byName.set(name, [...(byName.get(name) ?? []), ...own]);
        }
      }
      for (const { names } of context.lookup(credentials, client.key)) {
        for (const name of names) byName.set(name, byName.get(name) ?? []);
      }
      return Array.from(byName, ([name, listeners]) => [
        `${client.key} ${name}`,
        { client, name, listeners },
      ]);
    },
  );
  return {
    secrets: graph.flatMap(
      'Secrets of gateways',
      named,
      (one, context) => secretOf(one, sources, context),
      isSameOwned,
    ),
    accounts: graph.flatMap('accounts that read Secrets', named, ({ client, name }) => {
      const { namespace, account } = client;
      if (account === '' || parseSecretName(name)?.scheme !== 'kubernetes') return [];
      const key = objectKey(namespace, account);
      return [[`${client.key} ${name}`, key]];
    }),
  };
}

interface Credentials {
  readonly owner: string;
  readonly names: readonly string[];
}

/** That rules name for connections to services. */
function credentialsByOwner({ graph, called }: SecretSources): Index<Credentials> {
  const found = graph.flatMap(
    'credentials towards services',
    called,
    ({ owner, value }, _context, key): readonly (readonly [string, Credentials])[] => {
      const { traffic, port, subset } = value;
      const policy = traffic === null ? null : trafficPolicyAt(traffic, port.port, subset.name);
      const { mode, credentialName = '' } = userTls(policy) ?? {};
      if (credentialName === '') return [];
      const own = mode === 'MUTUAL' ? [pairName(credentialName)] : [];
      return [[key, { owner, names: [...own, rootsName(credentialName)] }]];
    },
  );
  return graph.index('credentials by gateway', found, ({ owner }) => [owner]);
}

const ASKING: readonly unknown[] = ['MUTUAL', 'OPTIONAL_MUTUAL'];

function namesOfServer({ tls }: GatewayServer): readonly string[] {
  if (tls === null || tls.mode === 'ISTIO_MUTUAL' || tls.mode === 'PASSTHROUGH') return [];
  return namesOf(tls);
}

function namesOf(tls: ServerTls): readonly string[] {
  const { mode, credentialName = '', credentialNames = [], caCertCredentialName = '' } = tls;
  const pairs = credentialNames.length > 0 ? credentialNames : [credentialName];
  const roots = caCertCredentialName || credentialName || (credentialNames[0] ?? '');
  return [
    ...pairs.filter((name) => name !== '').map(pairName),
    ...(ASKING.includes(mode) && roots !== '' ? [rootsName(roots)] : []),
  ];
}

function secretOf(
  one: NamedSecret,
  sources: SecretSources,
  context: Context,
): readonly (readonly [string, OwnedResource])[] {
  const { client, name } = one;
  const reference = parseSecretName(name);
  if (reference === null || client.account === '') return [];
  if (!mayHave(reference, one, sources, context)) return [];
  const namespace = reference.namespace ?? client.namespace;
  const found = secretContent({ ...reference, namespace }, sources.cluster, context);
  if (found === null) return [];
  const { type, source } = found;
  const message = create(SecretSchema, { name, type });
  return [ownedBy(client.key, encoded(SecretSchema, message, [source]))];
}

function mayHave(
  { scheme, namespace }: SecretReference,
  { client, listeners }: NamedSecret,
  { cluster, readers }: SecretSources,
  context: Context,
): boolean {
  const account = objectKey(client.namespace, client.account);
  switch (scheme) {
    case 'configmap':
      // Certificates of authorities are no secret.
      return true;
    case 'kubernetes':
      if (namespace !== null && namespace !== client.namespace) return false;
      return context.get(readers, account) === 'allowed';
    case 'kubernetes-gateway':
      // Only a listener has such a name of the control plane's own making, after grants were asked.
      return listeners.some((listener) => {
        const gateway = gatewayOf(listener, cluster, context);
        return gateway !== undefined && isServedBy(gateway, client);
      });
  }
}

function gatewayOf(
  { kind, namespace, name }: ObjectRef,
  cluster: ClusterInputs,
  context: Context,
): Gateway | undefined {
  const own = objectKey(namespace, name);
  const set = kind === 'ListenerSet' ? context.get(cluster.of('ListenerSet'), own) : undefined;
  const key = kind === 'Gateway' ? own : set === undefined ? null : gatewayOfSet(set);
  return key === null ? undefined : context.get(cluster.of('Gateway'), key);
}

/** Whose proxies the Gateway was made into; where somebody else made them, any account of its namespace. */
function isServedBy(gateway: Gateway, { namespace, account }: SecretClient): boolean {
  if (gateway.metadata.namespace !== namespace) return false;
  const made =
    annotationsOf(gateway)[SERVICE_ACCOUNT_ANNOTATION] ||
    generatedName(gateway, GATEWAY_CONTROLLER);
  return isManual(gateway) || account === made;
}
