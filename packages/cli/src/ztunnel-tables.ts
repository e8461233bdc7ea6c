import type {
  ConfigDump,
  DumpedCertificate,
  DumpedGateway,
  DumpedIdentity,
  DumpedService,
  DumpedWorkload,
} from '@aquifer/wire';
import { formatTable } from './output/table.ts';

/** The tables of `istioctl ztunnel-config`, from a config dump. */
export function workloadTable(workloads: readonly DumpedWorkload[], dump: ConfigDump): string {
  const rows = workloads.map((workload) => [
    workload.namespace,
    workload.name,
    workload.workloadIps.join(',') || String(workload.hostname ?? ''),
    workload.node ?? '',
    waypointName(workload.waypoint, dump),
    workload.protocol,
  ]);
  const header = ['NAMESPACE', 'POD NAME', 'ADDRESS', 'NODE', 'WAYPOINT', 'PROTOCOL'];
  return formatTable(header, rows.toSorted(byColumns), 1);
}

export function serviceTable(services: readonly DumpedService[], dump: ConfigDump): string {
  const healthyUids = new Set(
    dump.workloads.filter(({ status }) => status === 'Healthy').map(({ uid }) => uid),
  );
  const rows = services.map((service) => {
    const endpoints = Object.values(service.endpoints);
    const healthy = endpoints.filter(({ workloadUid }) => healthyUids.has(workloadUid));
    return [
      service.namespace,
      service.name,
      service.vips.map((vip) => vip.slice(vip.indexOf('/') + 1)).join(','),
      waypointName(service.waypoint, dump),
      `${healthy.length}/${endpoints.length}`,
    ];
  });
  const header = ['NAMESPACE', 'SERVICE NAME', 'SERVICE VIP', 'WAYPOINT', 'ENDPOINTS'];
  return formatTable(header, rows.toSorted(byColumns), 1);
}

export function policyTable(policies: ConfigDump['policies']): string {
  const rows = policies.map(({ namespace, name, action, scope }) => [
    namespace,
    name,
    action,
    scope,
  ]);
  return formatTable(['NAMESPACE', 'POLICY NAME', 'ACTION', 'SCOPE'], rows.toSorted(byColumns), 1);
}

export function certificateTable(identities: readonly DumpedIdentity[], now: Date): string {
  const header = [
    'CERTIFICATE NAME',
    'TYPE',
    'STATUS',
    'VALID CERT',
    'SERIAL NUMBER',
    'NOT AFTER',
    'NOT BEFORE',
  ];
  const rows = identities.flatMap((identity) => certificateRows(identity, now));
  return formatTable(header, rows, 5);
}

function certificateRows(identity: DumpedIdentity, now: Date): string[][] {
  const { identity: name, state, certChain, rootCerts } = identity;
  if (certChain.length === 0)
    return [[name, 'NA', state.split(':')[0]!, 'false', 'NA', 'NA', 'NA']];
  const row = (type: string, certificate: DumpedCertificate) => [
    name,
    type,
    state,
    String(isValid(certificate, now)),
    BigInt(certificate.serialNumber).toString(16),
    certificate.expirationTime,
    certificate.validFrom,
  ];
  const chain = certChain.map((certificate, i) =>
    row(i === 0 ? 'Leaf' : 'Intermediate', certificate),
  );
  return [...chain, ...rootCerts.map((certificate) => row('Root', certificate))];
}

function isValid({ validFrom, expirationTime }: DumpedCertificate, now: Date): boolean {
  return new Date(validFrom) <= now && now < new Date(expirationTime);
}

/** The name of the service behind the waypoint's address, `None` without a waypoint, `NA` if it is not known. */
function waypointName(waypoint: DumpedGateway | undefined, dump: ConfigDump): string {
  if (waypoint === undefined) return 'None';
  const { destination } = waypoint;
  const service = dump.services.find(
    ({ namespace, hostname, vips }) =>
      `${namespace}/${hostname}` === destination || vips.includes(destination),
  );
  return service?.name ?? 'NA';
}

/** By what is in the columns, from the left. */
export function byColumns(a: readonly string[], b: readonly string[]): number {
  for (const [i, cell] of a.entries()) {
    if (cell !== b[i]) return cell < (b[i] ?? '') ? -1 : 1;
  }
  return 0;
}
