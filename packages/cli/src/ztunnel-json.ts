import type {
  DumpedCertificate,
  DumpedGateway,
  DumpedIdentity,
  DumpedPolicy,
  DumpedService,
  DumpedWorkload,
} from '@aquifer/wire';

/**
 * Objects of a config dump as `istioctl ztunnel-config -o json` prints them: it knows part of their fields, has an order
 * of its own, and shows most texts that are absent as empty.
 */
export function workloadJson(workload: DumpedWorkload): object {
  const { uid, name, namespace, serviceAccount, clusterId, trustDomain, status, capacity } =
    workload;
  return {
    uid,
    workloadIps: workload.workloadIps,
    ...gateway('waypoint', workload.waypoint),
    ...gateway('networkGateway', workload.networkGateway as DumpedGateway | undefined),
    protocol: workload.protocol,
    name,
    namespace,
    serviceAccount,
    workloadName: workload.workloadName ?? '',
    workloadType: workload.workloadType ?? '',
    canonicalName: workload.canonicalName ?? '',
    canonicalRevision: workload.canonicalRevision ?? '',
    clusterId,
    ...nonEmpty({ trustDomain }),
    locality: nonEmpty((workload.locality ?? {}) as object),
    node: workload.node ?? '',
    ...nonEmpty({ network: workload.network }),
    status,
    hostname: workload.hostname ?? '',
    capacity,
    applicationTunnel: tunnel(workload.applicationTunnel),
    ...nonEmpty({ authorizationPolicies: workload.authorizationPolicies }),
  };
}

export function serviceJson(service: DumpedService): object {
  const { name, namespace, hostname, vips, ports } = service;
  const endpoints = Object.entries(service.endpoints).map(([uid, { workloadUid, port }]) => [
    uid,
    { workloadUid, service: '', port },
  ]);
  return {
    name,
    namespace,
    hostname,
    vips,
    ports,
    ...nonEmpty({ loadBalancer: loadBalancer(service.loadBalancer) }),
    ...gateway('waypoint', service.waypoint),
    endpoints: Object.fromEntries(endpoints),
    ...nonEmpty({ subjectAltNames: service.subjectAltNames }),
    ipFamilies: service.ipFamilies ?? '',
    visibility: service.visibility ?? '',
  };
}

export function policyJson({ name, namespace, scope, action, rules }: DumpedPolicy): object {
  return { name, namespace, scope, action, rules };
}

export function identityJson({ identity, state, certChain, rootCerts }: DumpedIdentity): object {
  const certificate = (one: DumpedCertificate) => ({
    pem: one.pem,
    serialNumber: one.serialNumber,
    validFrom: one.validFrom,
    expirationTime: one.expirationTime,
  });
  return {
    identity,
    state,
    certChain: certChain.map(certificate),
    rootCerts: rootCerts.map(certificate),
  };
}

function gateway(field: string, address: DumpedGateway | undefined): object {
  return address === undefined ? {} : { [field]: { destination: address.destination } };
}

function tunnel(dumped: unknown): object {
  const { protocol = '', port } = (dumped ?? {}) as { protocol?: string; port?: number | null };
  return { protocol, ...nonEmpty({ port: port ?? '' }) };
}

function loadBalancer(dumped: unknown): object | undefined {
  if (dumped === undefined) return undefined;
  const { mode, routingPreferences, healthPolicy } = dumped as Record<string, unknown>;
  return { mode, routingPreferences, healthPolicy };
}

function nonEmpty(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) =>
        value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0),
    ),
  );
}
