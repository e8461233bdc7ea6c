/**
 * Writes the state of a mesh to standard output: so many workloads and so many services, each with the lengths of its name
 * and its body (16 bits each), the name and the body.
 */
import { aService, aWorkload } from '../fixtures/mesh-objects.ts';
import { addressResources } from '../fixtures/test-data-plane.ts';

const [workloadCount = 0, serviceCount = 0] = process.argv.slice(2).map(Number);
const keyOf = (i: number) => `ns-${i % 100}/svc-${i}.ns-${i % 100}.svc.cluster.local`;
const workloads = Array.from({ length: workloadCount }, (_, i) =>
  aWorkload({
    name: `app-${i % serviceCount}-7d9f8b6c5-${i.toString(36).padStart(5, '0')}`,
    namespace: `ns-${i % 100}`,
    serviceAccount: `app-${i % serviceCount}`,
    addresses: [`10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`],
    node: `node-${100 + (i % 500)}`,
    locality: { region: 'eu-west-1', zone: `eu-west-1${'abc'[i % 3]}`, subzone: '' },
    services: [keyOf(i % serviceCount)],
  }),
);
const services = Array.from({ length: serviceCount }, (_, i) =>
  aService({
    name: `svc-${i}`,
    namespace: `ns-${i % 100}`,
    vip: `10.96.${i >> 8}.${i & 255}`,
  }),
);
for (const { name, body } of addressResources(workloads, services)) {
  const text = Buffer.from(name);
  const head = Buffer.alloc(4);
  head.writeUInt16BE(text.length, 0);
  head.writeUInt16BE(body.length, 2);
  process.stdout.write(Buffer.concat([head, text, body]));
}
