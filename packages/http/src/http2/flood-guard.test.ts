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
  expect(() => times(1200, giveUp)).toThrow('stream resets');
});

test.for<{ what: string; count: (guard: FloodGuard) => void; most: number; perSecond: number }>([
  { what: 'SETTINGS', count: (g) => g.settingsArrived(), most: 100, perSecond: 5 },
  { what: 'PING', count: (g) => g.pingArrived(), most: 10_000, perSecond: 500 },
  { what: 'empty DATA', count: (g) => g.dataArrived(true), most: 100, perSecond: 5 },
  { what: 'PRIORITY', count: (g) => g.priorityArrived(), most: 100, perSecond: 50 },
  { what: 'WINDOW_UPDATE', count: (g) => g.windowUpdateArrived(), most: 100, perSecond: 50 },
  {
    what: 'header bytes',
    count: (g) => g.headersDecoded(64 * KIB),
    most: 4096,
    perSecond: 512,
  },
])(
  '$what: $most at once are let pass, as are $perSecond a second for ever, and not much more',
  (kind) => {
    const { count, most, perSecond, what } = kind;
    let nowMs = 1000;
    const fresh = new FloodGuard(() => nowMs);
    times(most, () => count(fresh));
    expect(() => times(2, () => count(fresh))).toThrow(what);
    const steady = new FloodGuard(() => nowMs);
    times(100 * perSecond, () => {
      nowMs += 1000 / perSecond;
      count(steady);
    });
    expect(() => times(3 * most, () => count(steady))).toThrow(what);
  },
);

test('pings that come with requests and with data are no flood, however many', () => {
  const guard = new FloodGuard(() => 0);
  const ping = (): void => {
    guard.dataArrived(false);
    guard.pingArrived();
  };
  expect(() => times(50_000, ping)).not.toThrow();
});
