import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TestAuthority, type TestCertificate } from '../fixtures/certificates.ts';
import {
  podObject,
  type RunningControlPlane,
  startTestControlPlane,
} from '../fixtures/control-plane.ts';
import { EnvoyAgent } from '../fixtures/envoy-agent.ts';
import { eventually } from '../fixtures/eventually.ts';
import type { ApiObject } from '../fixtures/scripted-kubernetes-api.ts';
import { ENVOY, startStaticProxy } from '../fixtures/static-proxy.ts';

/** A Gateway of class istio, carried by a real Envoy that this control plane configures. */

const GROUP = 'gateway.networking.k8s.io/v1';
const NAME_LABEL = { 'gateway.networking.k8s.io/gateway-name': 'front' };
const TOKEN = 'gateway';

function object(apiVersion: string, kind: string, name: string, rest: object): ApiObject {
  return { apiVersion, kind, metadata: { namespace: 'edge', name, uid: name }, ...rest };
}

function secretOf({ chain, key }: TestCertificate): ApiObject {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const data = { 'tls.crt': base64(chain), 'tls.key': base64(key) };
  return object('v1', 'Secret', 'site', { type: 'kubernetes.io/tls', data });
}

function serviceAt(port: number): ApiObject {
  const ports = [{ name: 'https', port: 443, targetPort: port }];
  return object('v1', 'Service', 'front-istio', {
    spec: { clusterIP: '10.96.0.7', selector: NAME_LABEL, ports },
  });
}

const OBJECTS: readonly ApiObject[] = [
  {
    apiVersion: GROUP,
    kind: 'GatewayClass',
    metadata: { name: 'istio', uid: 'istio' },
    spec: { controllerName: 'istio.io/gateway-controller' },
  },
  podObject('edge', 'front-istio-0', {
    account: 'front-istio',
    ip: '10.1.0.7',
    labels: NAME_LABEL,
  }),
  object(GROUP, 'Gateway', 'front', {
    spec: {
      gatewayClassName: 'istio',
      listeners: [
        {
          name: 'https',
          port: 443,
          protocol: 'HTTPS',
          hostname: '*.site.test',
          tls: { certificateRefs: [{ name: 'site' }] },
        },
      ],
    },
  }),
  object(GROUP, 'HTTPRoute', 'moved', {
    spec: {
      parentRefs: [{ name: 'front' }],
      hostnames: ['a.site.test'],
      rules: [
        { filters: [{ type: 'RequestRedirect', requestRedirect: { hostname: 'there.test' } }] },
      ],
    },
  }),
];

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

function http2Cluster(name: string, port: number): object {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return {
    name,
    type: 'STATIC',
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: {
        '@type': `type.googleapis.com/${HTTP_OPTIONS}`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
    },
  };
}

function bootstrap(discoveryPort: number, agentPort: number): object {
  const overAds = { ads: {}, resource_api_version: 'V3' };
  const internal = 'envoy.extensions.bootstrap.internal_listener.v3.InternalListener';
  return {
    node: {
      id: 'router~10.1.0.7~front-istio-0.edge~edge.svc.cluster.local',
      cluster: 'front',
      metadata: { NAMESPACE: 'edge', LABELS: NAME_LABEL },
    },
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: { '@type': `type.googleapis.com/${internal}` },
      },
    ],
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [
          {
            envoy_grpc: { cluster_name: 'discovery' },
            initial_metadata: [{ key: 'authorization', value: `Bearer ${TOKEN}` }],
          },
        ],
      },
      cds_config: overAds,
      lds_config: overAds,
    },
    static_resources: {
      clusters: [http2Cluster('discovery', discoveryPort), http2Cluster('sds-grpc', agentPort)],
    },
  };
}

interface Gateway {
  readonly plane: RunningControlPlane;
  readonly port: number;
}

async function startGateway(authority: TestAuthority, secret: ApiObject): Promise<Gateway> {
  const plane = await startTestControlPlane([...OBJECTS, secret], ({ tokens }) => {
    tokens.set(TOKEN, { username: 'system:serviceaccount:edge:front-istio' });
  });
  const identity = authority.issue('spiffe://cluster.local/ns/edge/sa/front-istio');
  const agent = await EnvoyAgent.start(identity);
  onTestFinished(() => agent[Symbol.asyncDispose]());
  const { port, stop } = await startStaticProxy('envoy', (free) => {
    plane.api.put(serviceAt(free));
    return bootstrap(plane.app.ports.grpc, agent.port);
  });
  onTestFinished(stop);
  return { plane, port };
}

async function secured(port: number, ca: string, servername = 'a.site.test'): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, servername, ca, ALPNProtocols: ['http/1.1'] });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

async function answerTo(socket: TLSSocket, host: string): Promise<string> {
  socket.write(`GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const [bytes] = await once(socket, 'data');
  return String(bytes);
}

describe.skipIf(ENVOY === undefined)('a gateway that Envoy carries', () => {
  test('ends TLS with the Secret that its listener names, and follows its routes', async () => {
    using authority = new TestAuthority();
    const certificate = authority.issue('spiffe://x', { dnsName: 'a.site.test' });
    const { port } = await startGateway(authority, secretOf(certificate));
    const socket = await secured(port, authority.rootPem);
    const answer = await answerTo(socket, 'a.site.test');
    expect(answer).toMatch(/^HTTP\/1\.1 302 /);
    expect(answer).toContain('location: https://there.test/x\r\n');
    expect(await answerTo(socket, 'b.site.test')).toMatch(/^HTTP\/1\.1 404 /);
    // Nobody listens for other names.
    await expect(secured(port, authority.rootPem, 'other.test')).rejects.toThrow(/./);
  });

  test('takes a new certificate without a restart, while connections with the old one go on', async () => {
    using authority = new TestAuthority();
    const issue = () => authority.issue('spiffe://x', { dnsName: 'a.site.test' });
    const { plane, port } = await startGateway(authority, secretOf(issue()));
    const old = await secured(port, authority.rootPem);
    const serialOf = (socket: TLSSocket): string => socket.getPeerCertificate().serialNumber;
    plane.api.put(secretOf(issue()));
    await eventually(
      async () => serialOf(await secured(port, authority.rootPem)) !== serialOf(old),
    );
    expect(await answerTo(old, 'a.site.test')).toMatch(/^HTTP\/1\.1 302 /);
  });
});
