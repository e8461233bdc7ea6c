import { expect, test } from 'vitest';
import { chooseValues } from './chosen-values.ts';
import { defaultValues } from './render.ts';

test.for([
  ['pilot.env={A: {b: c}}', 'pilot.env.A must be text or a number, not {"b":"c"}'],
  ['ztunnel.env={A: [1]}', 'ztunnel.env.A must be text or a number, not [1]'],
  ['pilot.replicaCount=1.5', 'pilot.replicaCount must be an integer'],
  ['__proto__.x=1', 'there is no value __proto__'],
])('--set %s is refused', ([assignment, says]) => {
  expect(() => chooseValues(defaultValues(), {}, [], [assignment!])).toThrow(says);
});

test('a name of JavaScript’s own is one like any other', () => {
  const values = chooseValues(defaultValues(), {}, [], ['pilot.env.__proto__=x']);
  expect(Object.entries(values.of('pilot.env') as object)).toContainEqual(['__proto__', 'x']);
});
