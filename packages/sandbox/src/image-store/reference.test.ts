import { expect, test } from 'vitest';
import { parseReference } from './reference.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

test.for([
  ['busybox', 'docker.io/library/busybox:latest'],
  ['shop/cart:7', 'docker.io/shop/cart:7'],
  ['docker.io/busybox', 'docker.io/library/busybox:latest'],
  ['localhost:5000/cart', 'localhost:5000/cart:latest'],
  ['localhost/cart:7', 'localhost/cart:7'],
  ['registry.example.com/a/b/c:v1', 'registry.example.com/a/b/c:v1'],
  [`example.com/cart:7@${DIGEST}`, `example.com/cart@${DIGEST}`],
] as const)('%s is short for %s', ([written, name]) => {
  expect(parseReference(written).name).toBe(name);
  expect(parseReference(name).name).toBe(name);
});
