import { expect, test } from 'vitest';
import { selects } from './labels.ts';
import { nameLetters } from './names.ts';
import { scaledValue } from './percentage.ts';
import { qosClass } from './quality-of-service.ts';
import { quantityValue } from './quantity.ts';
import { timestampOf } from './time.ts';

const LABELS = { app: 'shop', version: '2' };

test.for<[what: string, selector: Parameters<typeof selects>[0], isSelected: boolean]>([
  ['nothing that is asked', {}, true],
  ['a label with its value', { matchLabels: { app: 'shop' } }, true],
  ['a label with another value', { matchLabels: { app: 'cart' } }, false],
  ['one of several values', expression('app', 'In', ['cart', 'shop']), true],
  ['none of several values', expression('app', 'NotIn', ['cart']), true],
  ['no value of a label that is not there', expression('zone', 'NotIn', ['a']), true],
  ['a label that is there', expression('zone', 'Exists'), false],
  ['a label that is not there', expression('zone', 'DoesNotExist'), true],
  ['a greater number', expression('version', 'Gt', ['1']), true],
  ['a smaller number, where there is none', expression('zone', 'Lt', ['1']), false],
  ['an operator that does not exist', expression('app', 'Like', ['shop']), false],
  ['what every object has by its prototype', expression('constructor', 'Exists'), false],
])('a selector for %s', ([, selector, isSelected]) => {
  expect(selects(selector, LABELS)).toBe(isSelected);
});

function expression(key: string, operator: string, values?: readonly string[]) {
  return { matchExpressions: [{ key, operator, values }] };
}

test.for([
  ['100m', 0.1],
  ['64Mi', 64 * 2 ** 20],
  ['1e3', 1000],
  ['.5', 0.5],
  [2, 2],
  ['1 Gi', Number.NaN],
])('the quantity %s is %s', ([text, value]) => {
  expect(quantityValue(text)).toBe(value);
});

test('a percentage is of the whole, and a number stands for itself', () => {
  expect(['25%', 3, '0%'].map((value) => scaledValue(value, 10))).toEqual([2.5, 3, 0]);
});

const amounts = (limits: object, requests: object) => ({ resources: { limits, requests } });

test.for<[what: string, expected: string, ...containers: object[]]>([
  ['that asks for nothing', 'BestEffort', {}],
  ['that asks for nothing that counts', 'BestEffort', amounts({}, { 'example.com/disk': 1 })],
  ['with some requests', 'Burstable', amounts({}, { cpu: '1' })],
  [
    'whose limits are its requests, in other words',
    'Guaranteed',
    amounts({ cpu: 1, memory: '1Gi' }, { cpu: '1000m', memory: '1024Mi' }),
  ],
  [
    'one of whose containers has no limits',
    'Burstable',
    amounts({ cpu: 1, memory: 1 }, { cpu: 1, memory: 1 }),
    {},
  ],
])('a pod %s is %s', ([, expected, ...containers]) => {
  expect(qosClass({ containers })).toBe(expected);
});

test('a time loses its fraction', () => {
  expect(timestampOf(new Date(1_999))).toBe('1970-01-01T00:00:01Z');
});

test('generated names have letters that make no words', () => {
  expect(nameLetters(Uint8Array.from([0, 26, 27, 255]))).toBe('b9bq');
});
