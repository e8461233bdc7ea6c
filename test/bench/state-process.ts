/**
 * What large states and changes cost the threads of a ztunnel that carry bytes. A process of its own, started with
 * `--import stall-probe.ts` and `--expose-gc`; prints one JSON object and ends. Needs root: one pod is a namespace, with
 * open connections.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Authorization } from '@aquifer/model';
import { keepTrafficYoung } from '@aquifer/runtime';
import { encodeAuthorization } from '@aquifer/wire';
import { AuthorizationSchema } from '@aquifer/wire/gen/istio/security_pb';
import { toBinary } from '@bufbuild/protobuf';
import { renderConfigDump } from '../../packages/ztunnel/src/admin/config-dump.ts';
import { meshDump } from '../../packages/ztunnel/src/admin/mesh-dump.ts';
import { NetworkNamespace } from '../../packages/ztunnel/src/capture/netns.ts';
import {
  installRedirection,
  removeRedirection,
} from '../../packages/ztunnel/src/capture/redirection.ts';
import { TestAuthority } from '../fixtures/certificates.ts';
import { eventually } from '../fixtures/eventually.ts';
import { aWorkload } from '../fixtures/mesh-objects.ts';
import { PodNamespaces } from '../fixtures/pod-namespaces.ts';
import { addressResources, startDataPlane } from '../fixtures/test-data-plane.ts';
import { StallReader } from './stall-probe.ts';

const THREADS = 2;
const WORKLOADS = 100_000;
const SERVICES = 10_000;
const CONNECTIONS = 5_000;
const POLICIES = 20;
/** Until V8 has given back what a step left. */
const SETTLE_MS = 15_000;

const SERVER = `
const net = require('node:net');
net.createServer((s) => s.on('error', () => {})).listen(9000, () => console.log('up'));`;
const CLIENT = `
const net = require('node:net'); let open = 0;
const next = () => {
  net.connect(9000, '10.78.0.2', () => {
    open += 1;
    if (open === ${CONNECTIONS}) console.log('open');
    else next();
  }).on('error', () => {});
};
next();`;

const result: Record<string, number> = {};
const stalls = new StallReader(THREADS);

/** Adds the worst thread's longest stall and processor time, and the time until everything had happened. */
async function measure(name: string, step: () => Promise<void>): Promise<void> {
  await delay(500);
  await stalls.read();
  const startedMs = performance.now();
  await step();
  result[`${name} ms`] = performance.now() - startedMs;
  await delay(1500);
  const readings = await stalls.read();
  result[`${name} stall`] = Math.max(...readings.map(({ longestStallMs }) => longestStallMs));
  result[`${name} burst`] = Math.max(...readings.map(({ longestBurstMs }) => longestBurstMs));
  result[`${name} cpu`] = Math.max(...readings.map(({ cpuMs }) => cpuMs));
}

async function privateKiB(): Promise<number> {
  await stalls.collect();
  const rollup = readFileSync('/proc/self/smaps_rollup', 'utf8');
  return [...rollup.matchAll(/^Private_\w+: +(\d+) kB$/gm)].reduce(
    (sum, [, number]) => sum + Number(number),
    0,
  );
}

/** As they come from the control plane: bytes of one message. Another process made them, so that its garbage is not ours. */
function receivedState(): { readonly name: string; readonly body: Uint8Array }[] {
  const script = new URL('./state-resources.ts', import.meta.url).pathname;
  const counts = [WORKLOADS, SERVICES].map(String);
  const message = execFileSync(process.execPath, [script, ...counts], { maxBuffer: 1 << 28 });
  const resources: { name: string; body: Uint8Array }[] = [];
  for (let at = 0; at < message.length; ) {
    const nameEnd = at + 4 + message.readUInt16BE(at);
    const end = nameEnd + message.readUInt16BE(at + 2);
    const body = message.subarray(nameEnd, end);
    resources.push({ name: message.toString('utf8', at + 4, nameEnd), body });
    at = end;
  }
  return resources;
}

/** ALLOW policies of the server's namespace, the last of which lets everybody in. */
function policies(version: number) {
  return Array.from({ length: POLICIES }, (_, i) => {
    const isLast = i === POLICIES - 1;
    const policy: Authorization = {
      name: `p${i}`,
      namespace: 'shop',
      scope: 'namespace',
      action: 'allow',
      dryRun: false,
      groups: [[[rangesOf(isLast ? 0 : 16, `172.16.${version}.0`, `10.${isLast ? 78 : 79}.0.0`)]]],
    };
    return { name: `shop/p${i}`, body: toBinary(AuthorizationSchema, encodeAuthorization(policy)) };
  });
}

function rangesOf(prefixLength: number, ...addresses: readonly string[]) {
  const none: readonly never[] = [];
  return {
    ...{ namespaces: none, notNamespaces: none, principals: none, notPrincipals: none },
    ...{ serviceAccounts: none, notServiceAccounts: none, notSourceIps: none },
    ...{ destinationIps: none, notDestinationIps: none },
    ...{ destinationPorts: none, notDestinationPorts: none },
    sourceIps: addresses.map((address) => ({ address, prefixLength })),
  };
}

// As the program does.
keepTrafficYoung();
const authority = new TestAuthority();
const pods = new PodNamespaces(`aqb${process.pid}`);
const serverPod = pods.add('server', '10.78.0.2');
const clientPod = pods.add('client', '10.78.0.3');
// Under its client's own address the proxy would take ports that the client wants next.
const dataPlane = startDataPlane({ threads: THREADS, authority, preserveSource: false });
const own = aWorkload({ name: 'server', addresses: ['10.78.0.2'] });
const { uid, name, namespace: podNamespace, serviceAccount } = own;
const pod = { uid, name, namespace: podNamespace, serviceAccount, captureDns: false };

// Threads that have not started do not hear the probe's question.
await dataPlane.connections();
await delay(SETTLE_MS);
const emptyKiB = await privateKiB();
let resources = receivedState();
await measure('push', async () => {
  await dataPlane.applyAddresses({ resources, removed: [] });
  await dataPlane.connections();
});
const { name: unrelatedName, body: unrelatedBody } = resources[WORKLOADS / 2]!;
const unrelated = { name: unrelatedName, body: Uint8Array.from(unrelatedBody) };
resources = [];
await delay(SETTLE_MS);
result['bytes each'] = (((await privateKiB()) - emptyKiB) * 1024) / (WORKLOADS + SERVICES);

await dataPlane.applyAddresses({ resources: addressResources([own], []), removed: [] });
const namespace = NetworkNamespace.open(serverPod.path);
await dataPlane.startPod(pod, namespace.fd);
await installRedirection(namespace, { node: 'bench', bypassInbound: false, captureDns: false });
await dataPlane.applyPolicies({ resources: policies(1), removed: [] });
await once(pods.start(serverPod, [process.execPath, '-e', SERVER]).stdout!, 'data');
await once(pods.start(clientPod, [process.execPath, '-e', CLIENT]).stdout!, 'data');
await eventually(async () => (await openInbound()) === CONNECTIONS);

await measure('unrelated workload', async () => {
  await dataPlane.applyAddresses({ resources: [unrelated], removed: [] });
});
await measure('policy change', async () => {
  await dataPlane.applyPolicies({ resources: policies(2), removed: [] });
});
await measure('dump', async () => {
  const text = await renderConfigDump({
    mesh: await meshDump(dataPlane.store),
    connections: await dataPlane.connections(),
    certificates: new Map(),
    pods: new Map(),
    local: { workloads: [], services: [], policies: [] },
    config: {},
    version: 'bench',
  });
  result['dump MB'] = text.length / 1e6;
});
result['connections left'] = await openInbound();
await dataPlane.stop();
await removeRedirection(namespace, 'bench');
namespace.close();
await pods[Symbol.asyncDispose]();
authority[Symbol.dispose]();
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);

async function openInbound(): Promise<number> {
  return (await dataPlane.connections())[uid]?.inbound.length ?? 0;
}
