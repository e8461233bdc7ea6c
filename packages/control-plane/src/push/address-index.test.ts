import type { Service } from '@aquifer/model';
import { expect, test } from 'vitest';
import type { Resource } from '../derive/resource.ts';
import { AddressIndex } from './address-index.ts';
import { ServedSet } from './served-set.ts';

function service(name: string): Resource {
  const value = { addresses: [{ network: '', address: '10.0.0.1', prefixLength: null }] };
  return {
    name,
    version: '1',
    value: value as unknown as Service,
    bytes: new Uint8Array(),
    sources: [],
  };
}

test('what came and went since somebody asked is not kept for whom nobody asks again', () => {
  const set = new ServedSet();
  const index = new AddressIndex();
  index.follow(set);
  for (let round = 0; round < 10_000; round++) {
    set.put(service(`service ${round}`));
    set.remove(`service ${round}`);
    index.catchUp();
  }
  expect(set.backlog).toBeLessThan(3000);

  set.put(service('last'));
  index.catchUp();
  expect([...index.withAlias('/10.0.0.1')]).toEqual(['last']);
});
