import { readFileSync } from 'node:fs';
import { DeltaStream, type Subscription } from '@aquifer/control-plane-client';
import type { Logger } from '@aquifer/runtime';
import {
  ADDRESS_TYPE,
  AUTHORIZATION_TYPE,
  encodeAuthorization,
  encodeService,
  encodeWorkload,
} from '@aquifer/wire';
import { AuthorizationSchema } from '@aquifer/wire/gen/istio/security_pb';
import { AddressSchema } from '@aquifer/wire/gen/istio/workload_pb';
import { create, toBinary } from '@bufbuild/protobuf';
import { describeNode, discoveryOf } from './config/derived.ts';
import type { ZtunnelConfig } from './config/keys.ts';
import type { DataPlane } from './data-plane/data-plane.ts';
import type { MeshDemands } from './demand/mesh-demands.ts';
import { LocalMeshError } from './local-mesh/fields.ts';
import { type LocalMesh, readLocalMesh } from './local-mesh/read-local-mesh.ts';
import type { ControlMetrics } from './telemetry/metrics-exposition.ts';

/** Takes what the mesh is made of. */
type MeshWriter = Pick<DataPlane, 'applyAddresses' | 'applyPolicies'>;

export interface MeshDeps {
  readonly dataPlane: MeshWriter;
  /** Null: all workloads and services are followed. */
  readonly demands: MeshDemands | null;
  /** Of other parts that listen to the control plane. */
  readonly subscriptions: readonly Subscription[];
  readonly log: Logger;
  readonly metrics: ControlMetrics;
  /** Called once: what is in the mesh is known. */
  readonly onSynced: () => void;
}

/** What tells the data plane about the mesh: a control plane, a local file, or both. */
export interface MeshSource {
  /** What the file says. */
  readonly local: LocalMesh;
  start(): void;
  stop(): void;
}

/** Reads the local file, if there is one, and prepares to follow the control plane, if there is one. */
export async function followMesh(config: ZtunnelConfig, deps: MeshDeps): Promise<MeshSource> {
  const local = await readLocal(config);
  await applyLocal(deps.dataPlane, local);
  const stream = streamOf(config, deps);
  return {
    local,
    start: () => {
      if (stream === null) deps.onSynced();
      else void stream.run();
    },
    stop: () => stream?.stop(),
  };
}

function streamOf(config: ZtunnelConfig, deps: MeshDeps): DeltaStream | null {
  const { metrics, subscriptions, onSynced } = deps;
  const endpoint = discoveryOf(config);
  if (endpoint === null) return null;
  const log = deps.log.scope('xds');
  return new DeltaStream({
    endpoint,
    node: describeNode(config, log),
    subscriptions: [...meshSubscriptions(deps), ...subscriptions],
    log,
    onSynced,
    onTermination: (reason) => {
      metrics.xdsTerminations.inc({ reason });
    },
    onMessage: (url, bytes) => {
      metrics.xdsMessages.inc({ url });
      metrics.xdsBytes.inc({ url }, bytes);
    },
  });
}

function meshSubscriptions({
  dataPlane,
  demands,
}: Pick<MeshDeps, 'dataPlane' | 'demands'>): Subscription[] {
  return [
    {
      typeUrl: ADDRESS_TYPE,
      names: demands?.names ?? '*',
      apply: (batch) => dataPlane.applyAddresses(batch),
    },
    {
      typeUrl: AUTHORIZATION_TYPE,
      names: '*',
      apply: (batch) => dataPlane.applyPolicies(batch),
    },
  ];
}

async function readLocal({ localFile, localText }: ZtunnelConfig): Promise<LocalMesh> {
  const text = localFile === null ? localText : readFileSync(localFile, 'utf8');
  if (text === null) return { workloads: [], services: [], policies: [] };
  try {
    return await readLocalMesh(text);
  } catch (error) {
    if (!(error instanceof LocalMeshError)) throw error;
    throw new LocalMeshError(`${localFile ?? 'LOCAL_XDS'}: ${error.message}`);
  }
}

/** As the control plane would send it: one way for everything. */
async function applyLocal(
  dataPlane: MeshWriter,
  { workloads, services, policies }: LocalMesh,
): Promise<void> {
  const addresses = [
    ...workloads.map((value) => ({ case: 'workload' as const, value: encodeWorkload(value) })),
    ...services.map((value) => ({ case: 'service' as const, value: encodeService(value) })),
  ];
  const rejected = await dataPlane.applyAddresses({
    removed: [],
    resources: addresses.map((type, i) => ({
      name: `local/${i}`,
      body: toBinary(AddressSchema, create(AddressSchema, { type })),
    })),
  });
  if (rejected[0] !== undefined) throw new LocalMeshError(rejected[0].reason);
  await dataPlane.applyPolicies({
    removed: [],
    resources: policies.map((policy) => ({
      name: `${policy.namespace}/${policy.name}`,
      body: toBinary(AuthorizationSchema, create(AuthorizationSchema, encodeAuthorization(policy))),
    })),
  });
}
