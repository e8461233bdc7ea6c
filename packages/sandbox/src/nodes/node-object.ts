import { arch, release } from 'node:os';
import type { ApiObject, ClusterClient, ResourceKey } from '@aquifer/kube-api';
import { KUBERNETES_VERSION, microTimestampOf, timestampOf } from '@aquifer/model/kubernetes';
import type { NodeAddresses } from './addresses.ts';
import type { NodeCapacity } from './downward-fields.ts';

const NODES: ResourceKey = { group: '', version: 'v1', plural: 'nodes' };
const LEASES: ResourceKey = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
};
/** As kubelets ask for it. */
const LEASE_SECONDS = 40;
const MAX_PODS = 253;

/** Registers the node, or takes over the object that a former sandbox with the same data left. */
export async function registerNode(
  client: ClusterClient,
  node: NodeAddresses,
  capacity: NodeCapacity,
): Promise<void> {
  const existing = await client.get(NODES, node.name);
  if (existing === null) {
    await client.create(NODES, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name: node.name,
        labels: {
          'kubernetes.io/hostname': node.name,
          'kubernetes.io/os': 'linux',
          'kubernetes.io/arch': architecture(),
          'topology.kubernetes.io/region': 'sandbox',
          'topology.kubernetes.io/zone': `zone-${node.index}`,
        },
      },
      spec: { podCIDR: node.podCidr, podCIDRs: [node.podCidr] },
    });
  }
  await heartbeat(client, node, capacity);
}

/** Writes the node's status anew, and its lease. Throws what the API throws. */
export async function heartbeat(
  client: ClusterClient,
  node: NodeAddresses,
  capacity: NodeCapacity,
): Promise<void> {
  const stored = await client.get(NODES, node.name);
  const resources = {
    cpu: String(capacity.cpu),
    memory: `${Math.floor(capacity.memoryBytes / 1024)}Ki`,
    pods: String(MAX_PODS),
  };
  await client.mergePatch(
    NODES,
    { name: node.name, subresource: 'status' },
    {
      status: {
        capacity: resources,
        allocatable: resources,
        addresses: [
          { type: 'InternalIP', address: node.address },
          { type: 'Hostname', address: node.name },
        ],
        conditions: conditions(stored),
        nodeInfo: {
          architecture: architecture(),
          bootID: '',
          containerRuntimeVersion: 'aquifer://0.1.0',
          kernelVersion: release(),
          kubeProxyVersion: KUBERNETES_VERSION,
          kubeletVersion: KUBERNETES_VERSION,
          machineID: node.name,
          operatingSystem: 'linux',
          osImage: 'Aquifer sandbox',
          systemUUID: node.name,
        },
      },
    },
  );
  await renewLease(client, node.name);
}

/** That of the node, by which `kubectl describe node` and controllers know that it lives. */
async function renewLease(client: ClusterClient, name: string): Promise<void> {
  const path = { namespace: 'kube-node-lease', name };
  const spec = {
    holderIdentity: name,
    leaseDurationSeconds: LEASE_SECONDS,
    renewTime: microTimestampOf(new Date()),
  };
  if ((await client.get(LEASES, name, path.namespace)) === null) {
    const kind = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
    await client.create(LEASES, { ...kind, metadata: path, spec });
  } else await client.mergePatch(LEASES, path, { spec });
}

function conditions(stored: ApiObject | null): unknown[] {
  const now = timestampOf(new Date());
  const before: { type: string; status: string; lastTransitionTime: string }[] =
    stored?.status?.conditions ?? [];
  const describe = (type: string, status: string, reason: string, message: string): unknown => {
    const previous = before.find((known) => known.type === type && known.status === status);
    return {
      type,
      status,
      reason,
      message,
      lastHeartbeatTime: now,
      lastTransitionTime: previous?.lastTransitionTime ?? now,
    };
  };
  return [
    describe(
      'MemoryPressure',
      'False',
      'KubeletHasSufficientMemory',
      'kubelet has sufficient memory available',
    ),
    describe('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    describe(
      'PIDPressure',
      'False',
      'KubeletHasSufficientPID',
      'kubelet has sufficient PID available',
    ),
    describe('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
  ];
}

function architecture(): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };
  return names[arch()] ?? arch();
}
