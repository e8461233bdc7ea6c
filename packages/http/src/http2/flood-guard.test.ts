import { expect, test } from 'vitest';
import { FloodGuard } from './flood-guard.ts';

const KIB = 1024;

function times(count: number, action: () => void): void {
  for (let i = 0; i < count; i++) action();
}

test('a peer that gives credit for every four KiB that it reads is no flood, however large our frames are', () => {
  const guard = new FloodGuard();
  guard.streamOpened();
  times(50, () => {
    guard.dataSent(128 * KIB);
    // For the stream and for the connection.
    times((2 * 128) / 4, () => guard.windowUpdateArrived());
  });
  expect(() => times(10_000, () => guard.windowUpdateArrived())).toThrow('WINDOW_UPDATE');
});

test('callers that give up over time do not cost the others their connection, all at once do', () => {
  let nowMs = 0;
  const guard = new FloodGuard(() => nowMs);
  const giveUp = (): void => {
    guard.streamOpened();
    guard.streamWasted();
  };
  times(3000, () => {
    nowMs += 30;
    giveUp();
  });
  expect(() => times(600, giveUp)).toThrow('stream resets');
});
