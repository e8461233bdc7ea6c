import { join } from 'node:path';
import { LISTENER_TYPE } from '@aquifer/wire';
import type { Registry } from '@bufbuild/protobuf';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { MAIN_INTERNAL } from '../../../packages/control-plane/src/derive/l7/names.ts';
import { addCertificateService } from '../../fixtures/certificate-service.ts';
import { TestAuthority } from '../../fixtures/certificates.ts';
import { messageRegistry } from '../../fixtures/message-registry.ts';
import { writeCertificate, writeConfig } from '../l4-pair.ts';
import { SERVER_ADDRESS } from '../machine.ts';
import { startOrigin } from '../origin.ts';
import type { Contender, L7Environment } from './bench.ts';
import { ROUTED } from './bootstrap.ts';
import { ProxyDiscovery, type TypedResources } from './discovery.ts';
import {
  assertOnlyGet,
  contender,
  type ProxyKind,
  type Surroundings,
  startEnvoy,
  startWaypoint,
} from './proxies.ts';
import type { TunnelClientConfig } from './tunnel-client.ts';
import type { TunnelServerConfig } from './tunnel-server.ts';
import { forEnvoy, HBONE_PORT, POD, SERVICE, waypointResources } from './waypoint-resources.ts';

const IDENTITIES = {
  client: 'spiffe://cluster.local/ns/shop/sa/client',
  waypoint: 'spiffe://cluster.local/ns/shop/sa/waypoint',
  cart: 'spiffe://cluster.local/ns/shop/sa/cart',
  controlPlane: 'spiffe://cluster.local/ns/istio-system/sa/istiod',
} as const;
/** What gRPC expects of whoever serves a socket in the file system. */
const SOCKET_HOST = 'localhost';
/** Nobody asks for it. */
const NOWHERE = '/nowhere';

/** Where tunnels begin, in the client's namespace. */
export const ENTRY = { host: '127.0.0.1', port: 8000, path: `${ROUTED}/item` };

/**
 * Our waypoint and Envoy as a mesh has them, configured over ADS by the same resources: HBONE in, ten routes and one
 * policy, HBONE out. The ends of the tunnels are the same programs for both.
 *
 * load → tunnel-client ══ HBONE ══▶ waypoint ══ HBONE ══▶ tunnel-server → nginx
 */
export class DeployedWaypoints implements Disposable {
  readonly contenders: readonly Contender[];
  readonly #registry: Registry;
  readonly #authority = new TestAuthority();
  readonly #discoveries = new Map<string, ProxyDiscovery>();

  static async create(): Promise<DeployedWaypoints> {
    return new DeployedWaypoints(await messageRegistry());
  }

  private constructor(registry: Registry) {
    this.#registry = registry;
    const surroundings: Surroundings = {
      startOrigins: (environment) => this.#startEnds(environment),
      check: (environment, name) =>
        assertOnlyGet(environment, name, `http://${ENTRY.host}:${ENTRY.port}${ENTRY.path}`),
    };
    const kinds: readonly ProxyKind[] = [
      { name: 'waypoint', needs: null, start: (environment) => this.#startWaypoint(environment) },
      { name: 'envoy', needs: 'envoy', start: (environment) => this.#startEnvoy(environment) },
    ];
    this.contenders = kinds.map((kind) => contender(kind, surroundings));
  }

  /** Routes requests with the prefix away, and no others; resolves when the proxy has taken that. Throws if it refuses it. */
  async redirect(name: string, prefix: string): Promise<void> {
    const [listeners] = this.#resourcesOf(name, prefix).filter(
      ({ typeUrl }) => typeUrl === LISTENER_TYPE,
    );
    // As a control plane: nothing else has changed.
    const changed = listeners!.resources.filter((listener) => listener.name === MAIN_INTERNAL);
    await this.#discoveries.get(name)!.push({ typeUrl: LISTENER_TYPE, resources: changed });
  }

  [Symbol.dispose](): void {
    for (const discovery of this.#discoveries.values()) discovery.stop();
    this.#authority[Symbol.dispose]();
  }

  #resourcesOf(name: string, redirected: string): readonly TypedResources[] {
    const resources = waypointResources(redirected);
    return name === 'envoy' ? forEnvoy(resources, this.#registry) : resources;
  }

  async #startEnds({ machine, programs, namespaces }: L7Environment): Promise<void> {
    const { client, server } = namespaces;
    await startOrigin({ machine, programs, namespace: server, port: POD.port });
    const start = (
      script: string,
      namespace: string,
      config: TunnelClientConfig | TunnelServerConfig,
    ): void => {
      const path = writeConfig(machine, `${namespace}.json`, JSON.stringify(config));
      machine.start([process.execPath, join(import.meta.dirname, script), path], { namespace });
    };
    start('tunnel-server.ts', server, {
      podIp: POD.ip,
      certificate: this.#authority.issue(IDENTITIES.cart),
    });
    start('tunnel-client.ts', client, {
      port: ENTRY.port,
      hop: { ip: SERVER_ADDRESS, port: HBONE_PORT },
      authority: `${SERVICE.ip}:${SERVICE.port}`,
      certificate: this.#authority.issue(IDENTITIES.client),
    });
  }

  async #startWaypoint(environment: L7Environment): Promise<number> {
    const { directory } = environment.machine;
    const authority = this.#authority;
    const server = new Server();
    addCertificateService(server, ({ csr }) => [authority.sign(csr), authority.rootPem]);
    const own = authority.issue(IDENTITIES.controlPlane, { dnsName: SOCKET_HOST });
    const pair = { cert_chain: Buffer.from(own.chain), private_key: Buffer.from(own.key) };
    const path = join(directory, 'waypoint.sock');
    const at = { path, credentials: ServerCredentials.createSsl(null, [pair]) };
    const resources = this.#resourcesOf('waypoint', NOWHERE);
    this.#discoveries.set('waypoint', await ProxyDiscovery.start(at, resources, server));
    return startWaypoint(environment, {
      POD_NAMESPACE: 'shop',
      CA_ADDR: `unix:${path}`,
      XDS_ROOT_CA: authority.rootPem,
      HBONE_PORT: String(HBONE_PORT),
    });
  }

  async #startEnvoy(environment: L7Environment): Promise<number> {
    const { machine } = environment;
    const path = join(machine.directory, 'envoy.sock');
    const at = { path, credentials: ServerCredentials.createInsecure() };
    const resources = this.#resourcesOf('envoy', NOWHERE);
    this.#discoveries.set('envoy', await ProxyDiscovery.start(at, resources));
    const own = writeCertificate(machine, 'envoy', this.#authority.issue(IDENTITIES.waypoint));
    const bootstrap = envoyBootstrap(path, own);
    return startEnvoy(environment, writeConfig(machine, 'envoy.json', JSON.stringify(bootstrap)));
  }
}

/** Discovery, certificates, and what lets its listeners reach each other. */
function envoyBootstrap(
  discoveryPath: string,
  { chain, key, roots }: ReturnType<typeof writeCertificate>,
): object {
  const overAds = { ads: {}, resource_api_version: 'V3' };
  const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const address = { pipe: { path: discoveryPath } };
  return {
    node: { id: 'waypoint', cluster: 'waypoint' },
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: {
          '@type':
            'type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener',
        },
      },
    ],
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'discovery' } }],
      },
      cds_config: overAds,
      lds_config: overAds,
    },
    static_resources: {
      clusters: [
        {
          name: 'discovery',
          type: 'STATIC',
          typed_extension_protocol_options: {
            [options]: {
              '@type': `type.googleapis.com/${options}`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: 'discovery',
            endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
          },
        },
      ],
      secrets: [
        {
          name: 'default',
          tls_certificate: {
            certificate_chain: { filename: chain },
            private_key: { filename: key },
          },
        },
        { name: 'ROOTCA', validation_context: { trusted_ca: { filename: roots } } },
      ],
    },
  };
}
