import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { atTurnEnd } from './turn.ts';

test('whoever waits is called once, in order, and those that come meanwhile in the turn after', async () => {
  const called: string[] = [];
  const late = { onTurnEnd: () => called.push('late') };
  atTurnEnd({
    onTurnEnd: () => {
      called.push('first');
      atTurnEnd(late);
    },
  });
  atTurnEnd({ onTurnEnd: () => called.push('second') });
  await turn();
  expect(called).toEqual(['first', 'second']);
  await turn();
  expect(called).toEqual(['first', 'second', 'late']);
});

test('one that throws hinders neither those behind it nor those of later turns', async () => {
  const thrown: Error[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => thrown.push(error));
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
  });
  const called: string[] = [];
  atTurnEnd({
    onTurnEnd: () => {
      throw new Error('no');
    },
  });
  atTurnEnd({ onTurnEnd: () => called.push('behind') });
  await turn();
  await turn();
  atTurnEnd({ onTurnEnd: () => called.push('later') });
  await turn();
  await turn();
  expect(thrown.map(({ message }) => message)).toEqual(['no']);
  expect(called).toEqual(['behind', 'later']);
});
