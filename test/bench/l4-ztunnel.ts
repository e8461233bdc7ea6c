import { encodeWorkload } from '@aquifer/wire';
import { AddressSchema } from '@aquifer/wire/gen/istio/workload_pb';
import { create, toBinary } from '@bufbuild/protobuf';
import { aWorkload } from '../fixtures/mesh-objects.ts';
import { IDENTITIES, type PairEnvironment, type ProxyPair, writeConfig } from './l4-pair.ts';
import { CLIENT_ADDRESS, SERVER_ADDRESS } from './machine.ts';
import type { ZtunnelProcessConfig } from './ztunnel-process.ts';

const WORKLOADS = {
  client: aWorkload({ name: 'client', namespace: 'bench', addresses: [CLIENT_ADDRESS] }),
  server: aWorkload({
    name: 'server',
    namespace: 'bench',
    addresses: [SERVER_ADDRESS],
    node: 'node-2',
  }),
};

/** Our ztunnel, one process per side with one worker, capturing as it does in a cluster. */
export function startZtunnelPair(environment: PairEnvironment, poolIdleMs = 300_000): ProxyPair {
  return {
    clientPid: startProcess(environment, 'client', poolIdleMs),
    serverPid: startProcess(environment, 'server', poolIdleMs),
  };
}

function startProcess(
  environment: PairEnvironment,
  side: 'client' | 'server',
  poolIdleMs: number,
): number {
  const { machine, namespaces, authority } = environment;
  const { uid, name, namespace, serviceAccount } = WORKLOADS[side];
  const config: ZtunnelProcessConfig = {
    pod: { uid, name, namespace, serviceAccount, captureDns: false },
    namespacePath: `/var/run/netns/${namespaces[side]}`,
    addresses: Object.values(WORKLOADS).map((workload) => {
      const type = { case: 'workload' as const, value: encodeWorkload(workload) };
      const bytes = toBinary(AddressSchema, create(AddressSchema, { type }));
      return { name: workload.uid, body: Buffer.from(bytes).toString('base64') };
    }),
    poolIdleMs,
    certificates: { [IDENTITIES[side]]: authority.issue(IDENTITIES[side]) },
  };
  const path = writeConfig(machine, `${namespaces[side]}.json`, JSON.stringify(config));
  const script = new URL('./ztunnel-process.ts', import.meta.url).pathname;
  return machine.start([process.execPath, script, path]).pid!;
}
