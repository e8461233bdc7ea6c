import { expect, test } from 'vitest';
import { StepLimit } from './step-limit.ts';

test('no more steps run at a time than the limit, and each gets its turn, also after a failure', async () => {
  const limit = new StepLimit(2);
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  const steps = gates.map((gate, n) =>
    limit.run(async () => {
      begun.push(n);
      await gate.promise;
    }),
  );
  const outcomes = Promise.allSettled(steps);
  expect(begun).toEqual([0, 1]);
  gates[1]!.reject(new Error('refused'));
  await expect(steps[1]).rejects.toThrow('refused');
  expect(begun).toEqual([0, 1, 2]);
  for (const gate of gates) gate.resolve();
  await outcomes;
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  await limit.run(async () => begun.push(5));
  expect(begun).toHaveLength(6);
});
