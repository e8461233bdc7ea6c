import type { ConfigDump } from '@aquifer/wire';
import { formatTable } from './output/table.ts';
import { byColumns } from './ztunnel-tables.ts';

/** A connection of the dump, with the pod that it belongs to. */
export interface PodConnection {
  readonly namespace: string;
  readonly workload: string;
  readonly direction: 'Inbound' | 'Outbound';
  readonly src: string;
  readonly originalDst?: string | null;
  readonly actualDst: string;
  readonly protocol: string;
}

type Dumped = Pick<PodConnection, 'src' | 'originalDst' | 'actualDst' | 'protocol'>;

/** What a dump says of one pod. */
interface PodState {
  readonly info?: { readonly name: string; readonly namespace: string };
  readonly connections?: {
    readonly inbound?: readonly Dumped[];
    readonly outbound?: readonly Dumped[];
  };
}

export function openConnections({ workloadState }: ConfigDump): PodConnection[] {
  return Object.values(workloadState).flatMap((state) => {
    const { info, connections } = state as PodState;
    const pod = { namespace: info?.namespace ?? '', workload: info?.name ?? '' };
    const { inbound = [], outbound = [] } = connections ?? {};
    return [
      ...inbound.map((one): PodConnection => ({ ...pod, direction: 'Inbound', ...one })),
      ...outbound.map((one): PodConnection => ({ ...pod, direction: 'Outbound', ...one })),
    ];
  });
}

/** The table of `istioctl ztunnel-config connections`; addresses with the names of their workloads. */
export function connectionTable(
  connections: readonly PodConnection[],
  { workloads, services }: ConfigDump,
): string {
  const names = new Map<string, string>();
  for (const { workloadIps, name, namespace } of workloads)
    for (const ip of workloadIps) names.set(ip, `${name}.${namespace}`);
  for (const { vips, name, namespace } of services)
    for (const vip of vips) names.set(vip.slice(vip.indexOf('/') + 1), `${name}.${namespace}`);
  const named = (address: string | null | undefined): string => {
    if (address === null || address === undefined) return '';
    const at = address.lastIndexOf(':');
    const ip = address.slice(0, at).replace(/^\[|\]$/g, '');
    const name = names.get(ip);
    return name === undefined ? address : `${name}${address.slice(at)}`;
  };
  const rows = connections.map(({ workload, namespace, direction, ...connection }) => [
    `${workload}.${namespace}`,
    direction,
    named(direction === 'Inbound' ? connection.actualDst : connection.src),
    named(direction === 'Inbound' ? connection.src : connection.actualDst),
    direction === 'Inbound' ? '' : named(connection.originalDst),
    connection.protocol,
  ]);
  const header = ['WORKLOAD', 'DIRECTION', 'LOCAL', 'REMOTE', 'REMOTE TARGET', 'PROTOCOL'];
  return formatTable(header, rows.toSorted(byColumns), 1);
}
