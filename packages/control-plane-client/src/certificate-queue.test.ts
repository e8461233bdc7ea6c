import { createLogger } from '@aquifer/runtime';
import { expect, onTestFinished, test } from 'vitest';
import { CertificateManager } from './certificate-manager.ts';
import type { IssuedCertificate } from './issued-certificate.ts';
import { refreshAtMs } from './rotation.ts';

/** An authority that answers when it is told to. */
function slowAuthority(concurrency: number) {
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const manager = new CertificateManager({
    concurrency,
    log: createLogger('ca', { format: 'plain', levels: 'off' }),
    onChange: () => undefined,
    sign: (identity) => {
      asked.push(identity);
      const { promise, resolve } = Promise.withResolvers<IssuedCertificate>();
      const notBeforeMs = Date.now();
      const times = { notBeforeMs, notAfterMs: notBeforeMs + 3_600_000 };
      answers.push(() => resolve({ key: 'k', chain: 'c', roots: 'r', ...times }));
      return promise;
    },
  });
  onTestFinished(() => manager.stop());
  return {
    asked,
    manager,
    /** Answers everything that is asked, one after the other. */
    answerAll: async (count: number) => {
      for (let i = 0; i < count; i++) {
        await expect.poll(() => answers.length).toBeGreaterThan(i);
        answers[i]!();
      }
    },
  };
}

test('what a connection waits for is asked for first, then what pods will need, then renewals (C155)', async () => {
  const { asked, manager, answerAll } = slowAuthority(1);
  manager.want('first', 'renewal');
  manager.want('second', 'renewal');
  manager.want('for a pod', 'pod');
  manager.want('for a connection', 'connection');
  await answerAll(4);
  expect(asked).toEqual(['first', 'for a connection', 'for a pod', 'second']);
});

test('a connection that wants what is in the queue moves it up, behind the request under way (C156)', async () => {
  const { asked, manager, answerAll } = slowAuthority(1);
  for (const identity of ['a', 'b', 'c', 'd']) manager.want(identity);
  manager.want('new', 'connection');
  manager.want('d', 'connection');
  manager.want('d', 'renewal');
  await answerAll(5);
  expect(asked).toEqual(['a', 'd', 'new', 'b', 'c']);
});

test('an identity that many want is asked for once (C157)', async () => {
  const { asked, manager, answerAll } = slowAuthority(4);
  for (let i = 0; i < 5; i++) manager.want('web', i % 2 === 0 ? 'pod' : 'connection');
  await answerAll(1);
  await expect.poll(() => manager.states().get('web')?.kind).toBe('available');
  const state = manager.states().get('web');
  manager.want('web', 'connection');
  expect(manager.states().get('web')).toBe(state);
  expect(asked).toEqual(['web']);
});

test('as many identities are asked for at once as may be, and no more (C158)', async () => {
  const { asked, manager, answerAll } = slowAuthority(4);
  for (const identity of ['a', 'b', 'c', 'd', 'e']) manager.want(identity);
  await expect.poll(() => asked.length).toBe(4);
  await answerAll(5);
  expect(asked).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('an identity that is forgotten before its turn is not asked for (C159)', async () => {
  const { asked, manager, answerAll } = slowAuthority(1);
  for (const identity of ['a', 'b', 'c']) manager.want(identity);
  manager.forget('b');
  await answerAll(2);
  expect(asked).toEqual(['a', 'c']);
});

test.for([
  ['a thousand seconds', 0, 1000, 500],
  ['no time, for it is over', -1000, -100, -550],
  ['times that make no sense', 1000, 500, 500],
] as const)(
  'a certificate for %s, of %i s to %i s, is renewed at %i s (C153)',
  ([, from, to, at]) => {
    const nowMs = Date.now();
    const times = { notBeforeMs: nowMs + from * 1000, notAfterMs: nowMs + to * 1000 };
    expect(refreshAtMs(times)).toBe(nowMs + at * 1000);
  },
);
