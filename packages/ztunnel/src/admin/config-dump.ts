import type { CertificateState } from '@aquifer/control-plane-client';
import { policyKey } from '@aquifer/model';
import { describePolicy, describeService, describeWorkload } from '@aquifer/wire';
import { buildInfo } from '../config/version.ts';
import type { ThreadDump } from '../data-plane/protocol.ts';
import type { LocalMesh } from '../local-mesh/read-local-mesh.ts';
import type { ServedPod } from '../node/pod-lifecycle.ts';
import { describeCertificates } from './certificate-dump.ts';

export interface ConfigDumpSources {
  readonly thread: ThreadDump;
  readonly certificates: ReadonlyMap<string, CertificateState>;
  readonly pods: ReadonlyMap<string, ServedPod>;
  /** What a local file says. */
  readonly local: LocalMesh;
  /** The effective configuration, secrets masked. */
  readonly config: Record<string, unknown>;
  readonly version: string;
}

/** `/config_dump`: pretty JSON with sorted keys (spec ztunnel 9.3). */
export function renderConfigDump(sources: ConfigDumpSources): string {
  const { thread, local, certificates, pods, config, version } = sources;
  const dump = {
    workloads: sortBy(thread.workloads, 'uid'),
    services: sortBy(thread.services, 'hostname'),
    policies: thread.policies.toSorted((a, b) => (policyKey(a) < policyKey(b) ? -1 : 1)),
    // Of endpoints whose service is not known: they are not kept apart here.
    stagedServices: {},
    staticConfig: {
      workloads: local.workloads.map(describeWorkload),
      services: local.services.map((service) => describeService(service, NO_ENDPOINTS)),
      policies: local.policies.map(describePolicy),
    },
    certificates: describeCertificates(certificates),
    workloadState: Object.fromEntries(
      [...pods].map(([uid, pod]) => [uid, describePod(pod, thread.connections[uid])]),
    ),
    config,
    version: buildInfo(version),
  };
  return JSON.stringify(sortKeys(dump), null, 2);
}

const NO_ENDPOINTS = new Map<string, never>();

function describePod(
  { info, isServed }: ServedPod,
  connections: ThreadDump['connections'][string] | undefined,
): object {
  const { name, namespace, serviceAccount } = info;
  return {
    state: isServed ? 'Up' : 'Pending',
    ...(isServed && { connections: connections ?? { inbound: [], outbound: [] } }),
    info: { name, namespace, serviceAccount },
  };
}

function sortBy(items: readonly object[], key: string): object[] {
  const textOf = (item: object) => String((item as Record<string, unknown>)[key]);
  return items.toSorted((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}
