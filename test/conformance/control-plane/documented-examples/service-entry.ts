import { CART, type Example, sidecarCluster, WAYPOINT_LISTENER } from './example.ts';

function entry(name: string, namespace: string, spec: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { namespace: ${namespace}, name: ${name}, uid: ${name} }
spec: ${spec}`;
}

export const SERVICE_ENTRIES: readonly Example[] = [
  {
    kind: 'ServiceEntry',
    shows:
      'hosts outside that are called by TLS are told apart by their names, and looked up by DNS',
    given: entry(
      'web',
      'side',
      `
  hosts: [www.test, mail.test]
  location: MESH_EXTERNAL
  ports: [{ number: 443, name: https, protocol: TLS }]
  resolution: DNS`,
    ),
    promises: [
      { ...sidecarCluster('outbound|443||www.test'), has: { type: 'STRICT_DNS' } },
      {
        ...sidecarCluster('outbound|443||mail.test'),
        has: { address: 'mail.test', portValue: 443 },
      },
      {
        to: 'sidecar',
        type: 'Listener',
        name: '0.0.0.0_443',
        has: { filterChainMatch: { serverNames: ['www.test'] } },
      },
    ],
  },
  {
    kind: 'ServiceEntry',
    shows: 'a database outside is called by its addresses, as bytes',
    given: entry(
      'mongo',
      'side',
      `
  hosts: [mongo.test]
  addresses: [192.192.192.192/24]
  ports: [{ number: 27018, name: mongodb, protocol: MONGO }]
  location: MESH_EXTERNAL
  resolution: STATIC
  endpoints: [{ address: 198.51.100.2 }, { address: 198.51.100.3 }]`,
    ),
    promises: [
      {
        to: 'sidecar',
        type: 'ClusterLoadAssignment',
        name: 'outbound|27018||mongo.test',
        has: { address: '198.51.100.3', portValue: 27_018 },
      },
      { ...sidecarCluster('outbound|27018||mongo.test'), has: { type: 'EDS' } },
    ],
  },
  {
    kind: 'ServiceEntry',
    shows: 'any host of a domain is called where the client wanted to go',
    given: entry(
      'any',
      'side',
      `
  hosts: ["*.wild.test"]
  location: MESH_EXTERNAL
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: NONE`,
    ),
    promises: [{ ...sidecarCluster('outbound|80||*.wild.test'), has: { type: 'ORIGINAL_DST' } }],
  },
  {
    kind: 'ServiceEntry',
    shows: 'a host in the mesh has pods and machines behind it that its labels select',
    given: `${entry(
      'inside',
      'shop',
      `
  hosts: [inside.test]
  addresses: [203.0.113.40]
  location: MESH_INTERNAL
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  workloadSelector: { labels: { app: cart } }`,
    )}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { namespace: shop, name: machine, uid: machine }
spec: { address: 10.9.0.1, labels: { app: cart }, serviceAccount: machine }`,
    promises: [
      {
        to: 'sidecar',
        type: 'ClusterLoadAssignment',
        name: 'outbound|80||inside.test',
        has: { address: '10.9.0.1' },
      },
      {
        to: 'sidecar',
        type: 'ClusterLoadAssignment',
        name: 'outbound|80||inside.test',
        has: { endpointId: '10.1.0.1:80' },
      },
      {
        to: 'ztunnel',
        type: 'Address',
        name: 'Kubernetes/networking.istio.io/WorkloadEntry/shop/machine',
        has: { serviceAccount: 'machine', services: {} },
      },
    ],
  },
  {
    kind: 'ServiceEntry',
    shows: 'one that is not exported is seen in its own namespace only',
    given: entry(
      'hidden',
      'shop',
      `
  hosts: [hidden.test]
  exportTo: ["."]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: DNS`,
    ),
    promises: [{ ...sidecarCluster('outbound|80||hidden.test'), is: 'absent' }],
  },
  {
    kind: 'ServiceEntry',
    shows: 'a host without addresses is given some, which its status tells',
    given: entry(
      'given',
      'side',
      `
  hosts: [given.test]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: DNS`,
    ),
    promises: [{ status: 'ServiceEntry side/given', has: { host: 'given.test' } }],
  },
  {
    kind: 'ServiceEntry',
    shows: 'a host outside is called through the waypoint of its namespace',
    given: entry(
      'out',
      'shop',
      `
  hosts: [out.test]
  addresses: [203.0.113.50]
  location: MESH_EXTERNAL
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: DNS`,
    ),
    promises: [
      {
        to: 'waypoint',
        type: 'Cluster',
        name: 'inbound-vip|80|http|out.test',
        has: { type: 'STRICT_DNS' },
      },
      { ...WAYPOINT_LISTENER, has: { name: 'inbound-vip|80|http|out.test' } },
      { to: 'ztunnel', type: 'Address', name: 'shop/out.test', has: { hboneMtlsPort: 15_008 } },
    ],
  },
  {
    kind: 'WorkloadEntry',
    shows: 'a machine has ports of its own for those of its service',
    given: `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { namespace: shop, name: machine, uid: machine }
spec: { address: 10.9.0.2, ports: { http: 8088 }, labels: { app: cart } }
---
${entry(
  'inside',
  'shop',
  `
  hosts: [inside.test]
  addresses: [203.0.113.41]
  location: MESH_INTERNAL
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }]
  resolution: STATIC
  workloadSelector: { labels: { app: cart } }`,
)}`,
    promises: [
      {
        to: 'sidecar',
        type: 'ClusterLoadAssignment',
        name: 'outbound|80||inside.test',
        has: { address: '10.9.0.2', portValue: 8088 },
      },
    ],
  },
  {
    kind: 'WorkloadEntry',
    shows: 'a machine is behind a Service of Kubernetes that selects it',
    given: `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { namespace: shop, name: machine, uid: machine }
spec: { address: 10.9.0.3, labels: { app: cart } }`,
    promises: [
      {
        to: 'waypoint',
        type: 'ClusterLoadAssignment',
        name: `inbound-vip|80|http|${CART}`,
        has: { address: '10.9.0.3' },
      },
    ],
  },
  {
    kind: 'WorkloadGroup',
    shows: 'a group of machines is not read here, which the analysis says',
    given: `
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: { namespace: shop, name: machines, uid: machines }
spec: { template: { serviceAccount: machine } }`,
    promises: [{ says: 'WorkloadGroup has no effect' }],
  },
];
