import { closeSync, openSync } from 'node:fs';
import { expect, test } from 'vitest';
import { NetworkNamespace } from './netns.ts';

const OWN = '/proc/self/ns/net';

test.skipIf(process.getuid?.() !== 0)(
  'a namespace that was given back is entered no more, though its number is in use again',
  () => {
    const fd = openSync(OWN, 'r');
    const namespace = NetworkNamespace.borrow(fd);
    expect(namespace.run(() => 'inside')).toBe('inside');
    namespace.close();
    expect(() => namespace.run(() => 'inside')).toThrow('has ended');
    closeSync(fd);
  },
);

test('a namespace that is closed twice closes no descriptor of others', () => {
  const namespace = NetworkNamespace.open(OWN);
  namespace.close();
  const others = openSync(OWN, 'r');
  expect(others).toBe(namespace.fd);
  namespace.close();
  closeSync(others);
});
