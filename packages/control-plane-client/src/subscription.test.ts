import { expect, test } from 'vitest';
import { SubscriptionState } from './subscription.ts';

const body = new Uint8Array();

test('after a rejected update, a reconnect still names the version that stays in force', async () => {
  const rejected = new Set<string>();
  const state = new SubscriptionState({
    typeUrl: 't',
    names: '*',
    apply: ({ resources }) =>
      resources
        .filter(({ name }) => rejected.has(name))
        .map(({ name }) => ({ name, reason: 'no' })),
  });
  await state.receive({ resources: [{ name: 'a', body }], removed: [] }, new Map([['a', '1']]));
  rejected.add('a').add('b');
  const update = [
    { name: 'a', body },
    { name: 'b', body },
  ];
  const versions = new Map([
    ['a', '2'],
    ['b', '1'],
  ]);
  expect(await state.receive({ resources: update, removed: [] }, versions)).toHaveLength(2);
  // Else the server could not say that it is gone; b was never held.
  expect(state.initialRequest().initialVersions).toEqual({ a: '1' });
});
