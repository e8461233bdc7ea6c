import {
  ClusterLoadAssignmentSchema,
  type Endpoint,
} from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { deriveWaypoint, recordedObjects } from './recorded-waypoint.fixture.ts';

const OBJECTS = recordedObjects('05-gamma-filters');
const CLUSTER = 'inbound-vip|80|http|stock.shop.svc.cluster.local';

/** What the waypoint is told of the one pod of Service `stock`, with these addresses, captured or not. */
function endpointOf(addresses: readonly string[], redirection: string): Endpoint {
  const objects = OBJECTS.filter(
    ({ kind, metadata }) => kind !== 'Pod' || !metadata.name.startsWith('stock'),
  );
  const pod = OBJECTS.find(
    ({ kind, metadata }) => kind === 'Pod' && metadata.name.startsWith('stock'),
  )!;
  const annotations = { 'ambient.istio.io/redirection': redirection };
  const { endpoints } = deriveWaypoint([
    ...objects,
    {
      ...pod,
      metadata: { ...pod.metadata, annotations } as typeof pod.metadata,
      status: {
        ...(pod.status as object),
        podIP: addresses[0],
        podIPs: addresses.map((ip) => ({ ip })),
      },
    },
  ]);
  const assignment = fromBinary(ClusterLoadAssignmentSchema, endpoints.get(CLUSTER)!.bytes);
  const [endpoint] = assignment.endpoints.flatMap(({ lbEndpoints }) => lbEndpoints);
  return endpoint!.hostIdentifier.value!;
}

test('endpoints with a tunnel are the tunnel to one address, others have all of theirs (P121)', () => {
  const tunnelled = endpointOf(['1.1.1.1', '2001:20::1'], 'enabled');
  expect(tunnelled).toMatchObject({
    address: {
      address: {
        value: {
          addressNameSpecifier: { value: 'connect_originate' },
          endpointId: expect.stringMatching(/^1\.1\.1\.1:/),
        },
      },
    },
    additionalAddresses: [],
  });
  const plain = endpointOf(['1.1.1.3', '2001:20::3'], '');
  expect(plain).toMatchObject({
    address: { address: { value: { address: '1.1.1.3' } } },
    additionalAddresses: [{ address: { address: { value: { address: '2001:20::3' } } } }],
  });
});
