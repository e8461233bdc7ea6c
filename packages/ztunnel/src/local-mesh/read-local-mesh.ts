import {
  type ApplicationTunnel,
  type Authorization,
  type GatewayAddress,
  type LoadBalancing,
  type Locality,
  type RoutingScope,
  type Service,
  type ServiceAddress,
  type ServicePort,
  serviceKey,
  type WeightedWaypoint,
  type Workload,
} from '@aquifer/model';
import {
  Fields,
  LocalMeshError,
  mistake,
  readCidr,
  readCount,
  readIp,
  readText,
} from './fields.ts';
import { readPolicy } from './read-policy.ts';

/** What is in the mesh, according to a file. */
export interface LocalMesh {
  readonly workloads: readonly Workload[];
  readonly services: readonly Service[];
  readonly policies: readonly Authorization[];
}

/** Reads the YAML of `LOCAL_XDS_PATH` (spec ztunnel 12.1). Throws `LocalMeshError`, which names the field. */
export async function readLocalMesh(text: string): Promise<LocalMesh> {
  // Loaded when it is needed: a proxy of a cluster has no such file.
  const { parse } = await import('yaml');
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    throw new LocalMeshError(`not YAML: ${(error as Error).message}`);
  }
  const fields = new Fields(document ?? {}, 'the file');
  const workloads = fields.list('workloads', readWorkload);
  const services = fields.list('services', readService);
  const policies = fields.list('policies', readPolicy);
  fields.end();
  return {
    workloads: withEndpoints(workloads, services),
    services: services.map(({ service }) => service),
    policies,
  };
}

function readWorkload(value: unknown, path: string): Workload {
  const fields = new Fields(value, path);
  const name = fields.text('name', '');
  const workload: Workload = {
    uid: fields.text('uid', ''),
    name,
    namespace: fields.text('namespace'),
    addresses: fields.list('workloadIps', readIp, true),
    hostname: fields.text('hostname', ''),
    network: fields.text('network', ''),
    protocol: fields.choice('protocol', { HBONE: 'hbone', TCP: 'tcp' }, 'tcp'),
    trustDomain: fields.text('trustDomain', ''),
    serviceAccount: fields.text('serviceAccount', ''),
    waypoint: fields.optional('waypoint', readGateway),
    networkGateway: fields.optional('networkGateway', readGateway),
    node: fields.text('node', ''),
    canonicalName: fields.text('canonicalName', ''),
    canonicalRevision: fields.text('canonicalRevision', ''),
    workloadType: fields.choice('workloadType', WORKLOAD_TYPES, 'pod'),
    workloadName: fields.text('workloadName', ''),
    nativeTunnel: fields.flag('nativeTunnel', false),
    applicationTunnel: fields.optional('applicationTunnel', readTunnel),
    services: fields.map('services', readPorts, true),
    authorizationPolicies: fields.list('authorizationPolicies', readText),
    status: fields.choice('status', HEALTH, 'healthy'),
    clusterId: fields.text('clusterId', ''),
    locality: fields.optional('locality', readLocality),
    networkMode: fields.choice('networkMode', NETWORK_MODES, 'standard'),
    capacity: fields.number('capacity', 1),
  };
  fields.end();
  return workload.uid === ''
    ? { ...workload, uid: `local/${workload.namespace}/${name}` }
    : workload;
}

const WORKLOAD_TYPES = {
  deployment: 'deployment',
  cronjob: 'cronjob',
  pod: 'pod',
  job: 'job',
} as const;
const HEALTH = { Healthy: 'healthy', Unhealthy: 'unhealthy' } as const;
const NETWORK_MODES = { Standard: 'standard', HostNetwork: 'host-network' } as const;

/** A service, and the endpoints that the file lists with it: ports by the workload's uid. */
interface ServiceOfFile {
  readonly service: Service;
  readonly endpoints: ReadonlyMap<string, readonly ServicePort[]>;
}

function readService(value: unknown, path: string): ServiceOfFile {
  const fields = new Fields(value, path);
  const service: Service = {
    name: fields.text('name'),
    namespace: fields.text('namespace'),
    hostname: fields.text('hostname'),
    addresses: [...fields.list('vips', readVip, true), ...fields.list('cidrVips', readCidrVip)],
    ports: fields.optional('ports', readPorts) ?? [],
    subjectAltNames: fields.list('subjectAltNames', readText),
    waypoint: fields.optional('waypoint', readGateway),
    weightedWaypoints: fields.list('weightedWaypoints', readWeightedWaypoint),
    loadBalancing: fields.optional('loadBalancer', readLoadBalancing),
    ipFamilies: fields.choice('ipFamilies', IP_FAMILIES, 'automatic'),
    canonical: fields.flag('canonical', false),
    ingressUseWaypoint: false,
    visibility: fields.choice('visibility', { Public: 'public', Namespace: 'namespace' }, 'public'),
  };
  const endpoints = new Map(fields.map('endpoints', readEndpoint).values());
  fields.end();
  return { service, endpoints };
}

function readEndpoint(value: unknown, path: string): [uid: string, ports: readonly ServicePort[]] {
  const fields = new Fields(value, path);
  const uid = fields.text('workloadUid');
  const ports = fields.optional('port', readPorts) ?? [];
  // The workload's own status counts.
  fields.choice('status', HEALTH, 'healthy');
  fields.end();
  return [uid, ports];
}

const IP_FAMILIES = { Dual: 'dual', IPv4: 'ipv4-only', IPv6: 'ipv6-only' } as const;

/** `{80: 8080}`: service port to target port. */
function readPorts(value: unknown, path: string): readonly ServicePort[] {
  return [...new Fields({ ports: value }, path).map('ports', readCount)].map(
    ([port, targetPort]) => {
      const servicePort = Number(port);
      if (!Number.isInteger(servicePort)) throw mistake(path, 'ports as numbers', port);
      return { servicePort, targetPort, appProtocol: 'unknown' };
    },
  );
}

/** `network/ip`. */
function readVip(value: unknown, path: string): ServiceAddress {
  const text = readText(value, path);
  const slash = text.indexOf('/');
  if (slash < 0) throw mistake(path, 'network/ip, such as /10.0.0.1', value);
  const address = readIp(text.slice(slash + 1), path);
  return { network: text.slice(0, slash), address, prefixLength: null };
}

function readCidrVip(value: unknown, path: string): ServiceAddress {
  const fields = new Fields(value, path);
  const network = fields.text('network', '');
  const cidr = readCidr(fields.text('cidr'), `${path}.cidr`);
  fields.end();
  return { network, ...cidr };
}

/** `network/ip` or `namespace/hostname`, and the port. */
function readGateway(value: unknown, path: string): GatewayAddress {
  const fields = new Fields(value, path);
  const text = fields.text('destination');
  const hboneMtlsPort = fields.number('hboneMtlsPort', 15_008);
  fields.end();
  const slash = text.indexOf('/');
  const [left, right] = [text.slice(0, Math.max(0, slash)), text.slice(slash + 1)];
  if (slash < 0) throw mistake(`${path}.destination`, 'network/ip or namespace/hostname', text);
  if (/^[0-9.]+$|:/.test(right)) {
    const address = readIp(right, `${path}.destination`);
    return { destination: { kind: 'address', network: left, address }, hboneMtlsPort };
  }
  return { destination: { kind: 'hostname', namespace: left, hostname: right }, hboneMtlsPort };
}

function readWeightedWaypoint(value: unknown, path: string): WeightedWaypoint {
  const fields = new Fields(value, path);
  const destination = fields.optional('destination', readGateway);
  if (destination === null) throw mistake(`${path}.destination`, 'a waypoint', undefined);
  const weight = fields.number('weight');
  fields.end();
  return { destination, weight };
}

function readTunnel(value: unknown, path: string): ApplicationTunnel {
  const fields = new Fields(value, path);
  const protocol = fields.choice('protocol', { NONE: 'none', PROXY: 'proxy' } as const);
  const port = fields.optional('port', readCount) ?? 0;
  fields.end();
  return { protocol, port };
}

function readLocality(value: unknown, path: string): Locality {
  const fields = new Fields(value, path);
  const locality = {
    region: fields.text('region', ''),
    zone: fields.text('zone', ''),
    subzone: fields.text('subzone', ''),
  };
  fields.end();
  return locality;
}

const SCOPES: Readonly<Record<string, RoutingScope>> = {
  Region: 'region',
  Zone: 'zone',
  Subzone: 'subzone',
  Node: 'node',
  Cluster: 'cluster',
  Network: 'network',
};
const MODES = {
  Standard: 'standard',
  Strict: 'strict',
  Failover: 'failover',
  Passthrough: 'passthrough',
} as const;

function readLoadBalancing(value: unknown, path: string): LoadBalancing {
  const fields = new Fields(value, path);
  const loadBalancing = {
    routingPreference: fields.list(
      'routingPreferences',
      (item, at) => new Fields({ scope: item }, at).choice('scope', SCOPES),
      true,
    ),
    mode: fields.choice('mode', MODES),
    healthPolicy: fields.choice('healthPolicy', {
      OnlyHealthy: 'only-healthy',
      AllowAll: 'allow-all',
    } as const),
  };
  fields.end();
  return loadBalancing;
}

/** Endpoints are kept with workloads, as the control plane sends them. */
function withEndpoints(
  workloads: readonly Workload[],
  services: readonly ServiceOfFile[],
): readonly Workload[] {
  return workloads.map((workload) => {
    const listed = services.filter(({ endpoints }) => endpoints.has(workload.uid));
    if (listed.length === 0) return workload;
    const added = listed.map(
      ({ service, endpoints }) => [serviceKey(service), endpoints.get(workload.uid)!] as const,
    );
    return { ...workload, services: new Map([...workload.services, ...added]) };
  });
}
