import type { CertificateState } from '@aquifer/control-plane-client';
import { TimeSlice } from '@aquifer/runtime';
import { describePolicy, describeService, describeWorkload } from '@aquifer/wire';
import { buildInfo } from '../config/version.ts';
import type { PodConnections } from '../data-plane/thread-messages.ts';
import type { LocalMesh } from '../local-mesh/read-local-mesh.ts';
import type { ServedPod } from '../node/pod-lifecycle.ts';
import { describeCertificates } from './certificate-dump.ts';
import type { DumpItem, MeshDump } from './mesh-dump.ts';

export interface ConfigDumpSources {
  readonly mesh: MeshDump;
  /** By pod uid. */
  readonly connections: Readonly<Record<string, PodConnections>>;
  readonly certificates: ReadonlyMap<string, CertificateState>;
  readonly pods: ReadonlyMap<string, ServedPod>;
  /** What a local file says. */
  readonly local: LocalMesh;
  /** The effective configuration, secrets masked. */
  readonly config: Record<string, unknown>;
  readonly version: string;
}

const SLICE_MS = 5;

/** `/config_dump`: pretty JSON with sorted keys (spec ztunnel 9.3), made in slices. */
export async function renderConfigDump(sources: ConfigDumpSources): Promise<string> {
  const { mesh, connections, certificates, local, config, version } = sources;
  const slice = new TimeSlice(SLICE_MS);
  const pods = [...sources.pods].map(
    ([uid, pod]): DumpItem => ({ key: uid, describe: () => describePod(pod, connections[uid]) }),
  );
  const parts: Readonly<Record<string, string>> = {
    certificates: pretty(describeCertificates(certificates), 1),
    config: pretty(config, 1),
    policies: await prettyList(mesh.policies, slice),
    services: await prettyList(mesh.services, slice),
    // Of endpoints whose service is not known: they are not kept apart here.
    stagedServices: '{}',
    staticConfig: pretty(describeLocal(local), 1),
    version: pretty(buildInfo(version), 1),
    workloadState: await prettyObject(pods, slice),
    workloads: await prettyList(mesh.workloads, slice),
  };
  const lines = Object.entries(parts).map(([key, text]) => `  "${key}": ${text}`);
  return `{\n${lines.join(',\n')}\n}`;
}

function describeLocal({ workloads, services, policies }: LocalMesh): object {
  return {
    workloads: workloads.map(describeWorkload),
    services: services.map((service) => describeService(service, {})),
    policies: policies.map(describePolicy),
  };
}

function describePod(
  { info, isServed }: ServedPod,
  connections: PodConnections | undefined,
): object {
  const { name, namespace, serviceAccount } = info;
  return {
    state: isServed ? 'Up' : 'Pending',
    ...(isServed && { connections: connections ?? { inbound: [], outbound: [] } }),
    info: { name, namespace, serviceAccount },
  };
}

async function prettyList(items: readonly DumpItem[], slice: TimeSlice): Promise<string> {
  const texts = await prettyItems(items, slice, () => '');
  return texts === '' ? '[]' : `[\n${texts}\n  ]`;
}

async function prettyObject(items: readonly DumpItem[], slice: TimeSlice): Promise<string> {
  const texts = await prettyItems(items, slice, ({ key }) => `${JSON.stringify(key)}: `);
  return texts === '' ? '{}' : `{\n${texts}\n  }`;
}

/** What a list or object of the first level holds, in the order of the keys. */
async function prettyItems(
  items: readonly DumpItem[],
  slice: TimeSlice,
  prefixOf: (item: DumpItem) => string,
): Promise<string> {
  const texts: string[] = [];
  for (const item of items.toSorted((a, b) => compareTexts(a.key, b.key))) {
    if (slice.isOver()) await slice.next();
    texts.push(`    ${prefixOf(item)}${pretty(item.describe(), 2)}`);
  }
  return texts.join(',\n');
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** As `JSON.stringify` prints the value at that depth of a larger one. */
function pretty(value: unknown, depth: number): string {
  return JSON.stringify(sortKeys(value), null, 2).replaceAll('\n', `\n${'  '.repeat(depth)}`);
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => compareTexts(a, b));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}
