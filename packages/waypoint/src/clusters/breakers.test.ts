import { describe, expect, test } from 'vitest';
import { Breakers, DEFAULT_LIMITS } from './breakers.ts';

describe('breakers', () => {
  test.for([
    ['connections', 'admitConnection', 'connectionClosed'],
    ['pending', 'admitPending', 'pendingEnded'],
    ['requests', 'admitRequest', 'requestEnded'],
  ] as const)('admit no more %s than their limit, until one ends', ([limit, admit, end]) => {
    const breakers = new Breakers({ ...DEFAULT_LIMITS, [limit]: 2 });
    expect([breakers[admit](), breakers[admit](), breakers[admit]()]).toEqual([true, true, false]);
    breakers[end]();
    expect([breakers[admit](), breakers[admit]()]).toEqual([true, false]);
  });

  test('refuse every retry above their number', () => {
    const breakers = new Breakers({ ...DEFAULT_LIMITS, retries: { kind: 'count', retries: 1 } });
    expect([breakers.admitRetry(), breakers.admitRetry()]).toEqual([true, false]);
    breakers.retryEnded();
    expect(breakers.admitRetry()).toBe(true);
  });

  test.for([
    { requests: 0, pending: 0, retries: 3 },
    { requests: 10, pending: 0, retries: 3 },
    { requests: 20, pending: 20, retries: 8 },
    { requests: 39, pending: 0, retries: 7 },
  ])(
    'admit $retries retries by a budget of 20 % with $requests requests and $pending waiting',
    ({ requests, pending, retries }) => {
      const budget = { kind: 'budget', percent: 20, least: 3 } as const;
      const breakers = new Breakers({ ...DEFAULT_LIMITS, retries: budget });
      for (let i = 0; i < requests; i++) breakers.admitRequest();
      for (let i = 0; i < pending; i++) breakers.admitPending();
      let admitted = 0;
      while (breakers.admitRetry()) admitted += 1;
      expect(admitted).toBe(retries);
    },
  );
});
