import type { GatewayAddress, Service, Workload } from '@aquifer/model';
import { expect, test } from 'vitest';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { decodeRecord, encodeRecord } from './record.ts';

const gateway: GatewayAddress = {
  destination: { kind: 'hostname', namespace: 'shop', hostname: 'waypoint.test' },
  hboneMtlsPort: 15_008,
};
const plainWorkload = aWorkload({ name: 'web', services: ['shop/web.test'] });
const richWorkload: Workload = {
  ...plainWorkload,
  hostname: 'vm.test',
  network: 'n',
  protocol: 'tcp',
  trustDomain: '',
  waypoint: gateway,
  networkGateway: gateway,
  nativeTunnel: true,
  applicationTunnel: { protocol: 'proxy', port: 1 },
  status: 'unhealthy',
  locality: { region: 'r', zone: '', subzone: '' },
  networkMode: 'host-network',
  capacity: 0,
};
const plainService = aService({ name: 'web', vip: '10.96.0.1' });
const richService: Service = {
  ...plainService,
  waypoint: gateway,
  weightedWaypoints: [{ destination: gateway, weight: 1 }],
  loadBalancing: { routingPreference: ['zone'], mode: 'strict', healthPolicy: 'allow-all' },
  ipFamilies: 'dual',
  ingressUseWaypoint: true,
  visibility: 'namespace',
};

test.for([plainWorkload, richWorkload, plainService, richService])(
  'a record is read as it was written, whatever of it is usual: %#',
  (address) => {
    expect(decodeRecord(encodeRecord(address))).toEqual(address);
  },
);
