import { expect, test } from 'vitest';
import { ownProgram, parseOwnImages } from './own-images.ts';

const machine = { installation: '/i', nodeBinary: '/n', path: '/usr/bin:/bin', compileCache: '/c' };
const images = parseOwnImages(`
# of the shop
shop/cart=/bin/sh -c true
shop/stock:v2=sleep 60
`);

test.for([
  ['shop/cart', ['/bin/sh', '-c', 'true']],
  ['example.com/shop/cart:7', ['/bin/sh', '-c', 'true']],
  ['shop/stock:v2', ['/usr/bin/sleep', '60']],
] as const)('%s runs what the user named', ([image, entrypoint]) => {
  expect(ownProgram(images, image, { ...machine, path: '/usr/bin' })).toMatchObject({
    ok: true,
    value: { entrypoint },
  });
});

test.for(['shop/stock:v1', 'shop/cartoon', 'art'])('%s is another image', (image) => {
  expect(ownProgram(images, image, machine)).toBeNull();
});

test('a program that is not there is named in the refusal', () => {
  const gone = parseOwnImages('cart=/nonexistent/cart');
  expect(ownProgram(gone, 'cart', machine)).toEqual({
    ok: false,
    error: '/nonexistent/cart, which image cart stands for, is not on this machine',
  });
});

test('a line of another form is refused', () => {
  expect(() => parseOwnImages('cart /bin/cart')).toThrow(
    'lines of NAME=PROGRAM, not "cart /bin/cart"',
  );
});
