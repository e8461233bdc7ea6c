import { expect, test } from 'vitest';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { aSnapshot } from '../../../../test/fixtures/mesh-snapshot.ts';
import { RecordingView } from './recording-view.ts';

const web = aWorkload({ name: 'web', addresses: ['10.0.0.2'] });
const exact = aService({ name: 'exact', vip: '10.96.0.1' });
const range = aService({
  name: 'range',
  addresses: [{ network: '', address: '10.97.0.0', prefixLength: 16 }],
});

function record(look: (view: RecordingView) => void) {
  const view = new RecordingView(aSnapshot([web], [exact, range]));
  look(view);
  return { found: [...view.found], missing: [...view.missing] };
}

test('an address that a service has is not missing because no workload has it', () => {
  const looked = record((view) => {
    expect(view.workloadByAddress('', '10.96.0.1')).toBeNull();
    expect(view.serviceByVip('', '10.96.0.1', 'shop')).toEqual(exact);
  });
  expect(looked).toEqual({ found: ['/10.96.0.1'], missing: [] });
});

test('what was looked for and is not there is missing, by the name to ask for', () => {
  const looked = record((view) => {
    view.workloadByAddress('remote', '10.0.0.2');
    view.serviceByVip('remote', '10.0.0.2', 'shop');
    view.service('shop/waypoint.shop.svc.cluster.local');
    view.workload('Kubernetes//Pod/shop/other');
  });
  expect(looked).toEqual({
    found: [],
    missing: [
      'remote/10.0.0.2',
      'shop/waypoint.shop.svc.cluster.local',
      'Kubernetes//Pod/shop/other',
    ],
  });
});

test('a service found by a range is the answer, and the very address may be that of another', () => {
  const looked = record((view) => {
    expect(view.serviceByVip('', '10.97.0.5', 'shop')).toEqual(range);
  });
  expect(looked.missing).toEqual(['/10.97.0.5']);
});
