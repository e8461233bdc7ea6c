import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fieldName } from './field-names.ts';

test('a name is its text in lower case, whatever names came before it', () => {
  const name = fc.stringMatching(/^[A-Za-z-]{0,70}$/);
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 50 }), (names) => {
      for (const text of [...names, ...names]) {
        expect(fieldName(`a${text}: b`, 1, 1 + text.length)).toBe(text.toLowerCase());
      }
    }),
  );
});

test.for(['__proto__', '0', '007', 'constructor'])('%s is a name like others', (name) => {
  expect(fieldName(name, 0, name.length)).toBe(name);
  expect(fieldName(name, 0, name.length)).toBe(name);
});
