import { expect, test } from 'vitest';
import { OpenSet } from './open-set.ts';

test('members leave once, in any order, and their places are taken again', () => {
  const set = new OpenSet<string>();
  const members = () => set.memberships().map(({ member }) => member);
  const [a, b, c] = ['a', 'b', 'c'].map((member) => set.add(member));
  b![Symbol.dispose]();
  expect(members()).toEqual(['a', 'c']);
  const d = set.add('d');
  b![Symbol.dispose]();
  expect(members().sort()).toEqual(['a', 'c', 'd']);
  for (const membership of [c, a, d]) membership![Symbol.dispose]();
  expect(members()).toEqual([]);
});

test('members may leave while others look at them', () => {
  const set = new OpenSet<number>();
  for (let n = 0; n < 5; n++) set.add(n);
  const seen = set.memberships().map((membership) => {
    membership[Symbol.dispose]();
    return membership.member;
  });
  expect(seen).toEqual([0, 1, 2, 3, 4]);
  expect(set.memberships()).toEqual([]);
});
