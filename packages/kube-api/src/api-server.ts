/** A Kubernetes API: storage, the pipeline of writes, HTTPS in front of both. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AdmissionWebhooks } from './admission/webhooks.ts';
import { bootstrapCluster } from './bootstrap.ts';
import { type ClientDependencies, StorageClient } from './client.ts';
import type { ApiObject, ClusterClient, PodAccess } from './cluster-client.ts';
import { followDefinitions } from './custom-definitions.ts';
import { API_SERVICE_ADDRESS } from './defaults/service-defaults.ts';
import { GarbageCollector } from './garbage-collection.ts';
import { HttpListeners, type ListenAddress } from './http/listener.ts';
import { OpenApiDocuments } from './http/openapi.ts';
import { kubeconfigOf } from './kubeconfig.ts';
import { NamespaceController } from './namespaces.ts';
import { Objects } from './objects/objects.ts';
import { ResourceRegistry } from './resource-registry.ts';
import { Authorizer } from './security/authorization.ts';
import { Authority } from './security/certificates.ts';
import { Tokens } from './security/tokens.ts';
import { serviceEndpoint } from './service-endpoints.ts';
import type { OnFault } from './status.ts';
import { Storage } from './storage/storage.ts';

/** What the composer decides. */
export interface ApiServerOptions {
  /** Holds the database, the cluster's CA and its signing keys; made if absent. */
  readonly dataDirectory: string;
  /** Where to serve HTTPS. The first address is the one that `url` and the kubeconfig name. */
  readonly listen: readonly ListenAddress[];
  /** Further names and addresses that the serving certificate covers, beside the `kubernetes` service and localhost. */
  readonly extraNames?: readonly string[];
  readonly podAccess: PodAccess;
  /** Told of errors of this program's own, which clients are answered 500 with. */
  readonly onFault: OnFault;
}

interface ServiceAccountTokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Default: the API server's own audience. */
  readonly audiences?: readonly string[];
  /** Seconds. Default 3600, at least 600. */
  readonly expirationSeconds?: number;
  /** The token dies with this pod and names it in its claims. */
  readonly pod?: { readonly name: string; readonly uid: string };
}

/** A running API server. */
export interface ApiServer {
  readonly client: ClusterClient;
  /** `https://127.0.0.1:PORT`, of the first listen address. */
  readonly url: string;
  /** Where each of `listen` was bound, in the same order. */
  readonly addresses: readonly ListenAddress[];
  /** The cluster's CA certificate, PEM. */
  readonly caPem: string;
  /** A kubeconfig (YAML) with an administrator's client certificate, for the given server URL. Default: `url`. */
  kubeconfig(serverUrl?: string): string;
  /** Throws `ApiStatusError` 404 if the service account does not exist. */
  serviceAccountToken(request: ServiceAccountTokenRequest): Promise<string>;
  /** Also listens there (an address that appeared after the start, such as a bridge's). */
  listen(address: ListenAddress): Promise<ListenAddress>;
  stop(): Promise<void>;
}

const SERVING_NAMES = [
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
  'localhost',
  '127.0.0.1',
  API_SERVICE_ADDRESS,
];

function startCollector({
  storage,
  registry,
  client,
}: ClientDependencies & { client: ClusterClient }): Disposable {
  const keyOf = (collection: string) => {
    const resource = registry.ofCollection(collection);
    if (resource === null) throw new Error(`nothing serves ${collection}`);
    return resource;
  };
  return new GarbageCollector(storage, {
    delete: async ({ collection, object: { metadata } }) =>
      client.delete(keyOf(collection), {
        name: metadata.name,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      }),
    update: async ({ collection, object }, metadata) => {
      const next: ApiObject = { ...object, metadata };
      await client.update(keyOf(collection), next);
    },
  });
}

/** Starts the API on what `dataDirectory` holds, or on a new cluster. Throws if an address cannot be bound. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { dataDirectory, podAccess, onFault } = options;
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  const pki = join(dataDirectory, 'pki');
  const authority = new Authority(pki);
  const caPem = authority.certificatePem;
  const storage = new Storage(join(dataDirectory, 'cluster.db'));
  const registry = new ResourceRegistry();
  const admission = new AdmissionWebhooks(storage, (namespace, name, port) =>
    serviceEndpoint(storage, namespace, name, port),
  );
  const objects = new Objects(storage, admission);
  const client = new StorageClient({ storage, registry, objects, admission });
  const tokens = new Tokens(pki, storage);
  const authorizer = new Authorizer(storage);
  const altNames = [
    ...new Set([
      ...SERVING_NAMES,
      ...options.listen.map((address) => address.host),
      ...(options.extraNames ?? []),
    ]),
  ];
  const listeners = new HttpListeners(
    {
      storage,
      registry,
      objects,
      admission,
      tokens,
      authorizer,
      podAccess,
      onFault,
      openApi: new OpenApiDocuments(registry),
    },
    { ...authority.serverCertificate(altNames), caPem },
  );
  await using started = new AsyncDisposableStack();
  started.defer(() => storage.close());
  started.use(followDefinitions(storage, registry, client));
  started.use(startCollector({ storage, registry, objects, admission, client }));
  started.use(new NamespaceController({ storage, registry, client, caPem }));
  started.defer(() => listeners.stop());
  const addresses: ListenAddress[] = [];
  for (const address of options.listen) addresses.push(await listeners.listen(address));
  const [first = { host: '127.0.0.1', port: 0 }] = addresses;
  await bootstrapCluster(client, first.port);
  const url = `https://${first.host}:${first.port}`;
  const admin = authority.clientCertificate('kubernetes-admin', 'system:masters');
  const running = started.move();
  return {
    client,
    url,
    addresses,
    caPem,
    kubeconfig: (serverUrl = url) => kubeconfigOf({ serverUrl, caPem, client: admin }),
    serviceAccountToken: async (request) => {
      const issued = await tokens.issue({
        namespace: request.namespace,
        serviceAccount: request.serviceAccount,
        audiences: request.audiences ?? [],
        expirationSeconds: request.expirationSeconds,
        boundPod: request.pod,
      });
      return issued.token;
    },
    listen: (address) => listeners.listen(address),
    stop: () => running.disposeAsync(),
  };
}
