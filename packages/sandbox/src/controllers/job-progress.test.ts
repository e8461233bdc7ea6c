import type { ApiObject } from '@aquifer/kube-api';
import { expect, test } from 'vitest';
import { COMPLETION_INDEX, indexRanges, jobProgress } from './job-progress.ts';

const NOW = Date.parse('2026-06-01T12:00:00Z');

const job = (spec: object, status: object = {}): ApiObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'job' },
  spec,
  status,
});

function pod(phase: string, { index = 0, endedSecondsAgo = 0, restartCount = 0 } = {}): ApiObject {
  const finishedAt = new Date(NOW - endedSecondsAgo * 1000).toISOString();
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'pod', annotations: { [COMPLETION_INDEX]: String(index) } },
    spec: {},
    status: { phase, containerStatuses: [{ restartCount, state: { terminated: { finishedAt } } }] },
  };
}

test.for([
  {
    what: 'as many as may run side by side',
    spec: { completions: 5, parallelism: 2 },
    pods: [],
    wanted: 2,
  },
  {
    what: 'what is missing',
    spec: { completions: 3, parallelism: 2 },
    pods: [pod('Succeeded'), pod('Succeeded')],
    wanted: 1,
  },
  { what: 'none of a suspended job', spec: { completions: 1, suspend: true }, pods: [], wanted: 0 },
  {
    what: 'those that run, and no new ones, once a worker of a queue has found it empty',
    spec: { parallelism: 3 },
    pods: [pod('Succeeded'), pod('Running')],
    wanted: 1,
  },
])('a job wants $what', ({ spec, pods, wanted }) => {
  expect(jobProgress(job(spec), pods, NOW)).toMatchObject({ wanted, outcome: null });
});

test('an index counts once, however many of its pods succeed', () => {
  const spec = { completionMode: 'Indexed', completions: 2 };
  const twice = [pod('Succeeded', { index: 1 }), pod('Succeeded', { index: 1 })];
  expect(jobProgress(job(spec), twice, NOW)).toMatchObject({ succeeded: 1, outcome: null });
  const both = [...twice, pod('Succeeded', { index: 0 })];
  expect(jobProgress(job(spec), both, NOW).outcome?.type).toBe('Complete');
});

test('restarts in running pods are failures too', () => {
  const spec = { completions: 1, backoffLimit: 2 };
  const restarted = [pod('Failed'), pod('Running', { restartCount: 1 })];
  expect(jobProgress(job(spec), restarted, NOW)).toMatchObject({ failed: 2, outcome: null });
  const more = [pod('Failed'), pod('Running', { restartCount: 2 })];
  expect(jobProgress(job(spec), more, NOW).outcome?.reason).toBe('BackoffLimitExceeded');
});

test('a job that has run too long fails', () => {
  const spec = { completions: 1, activeDeadlineSeconds: 60 };
  const startTime = new Date(NOW - 60_000).toISOString();
  expect(jobProgress(job(spec, { startTime }), [], NOW).outcome?.reason).toBe('DeadlineExceeded');
  expect(jobProgress(job(spec, { startTime }), [], NOW - 1).outcome).toBeNull();
});

test.for([
  { pods: [pod('Failed', { endedSecondsAgo: 4 })], waitMs: 6_000 },
  {
    pods: [pod('Failed', { endedSecondsAgo: 9 }), pod('Failed', { endedSecondsAgo: 4 })],
    waitMs: 16_000,
  },
  { pods: [pod('Failed', { endedSecondsAgo: 9 }), pod('Succeeded')], waitMs: 0 },
  { pods: [pod('Failed', { endedSecondsAgo: 60 })], waitMs: 0 },
])('after $pods.length pods the next waits $waitMs ms', ({ pods, waitMs }) => {
  expect(jobProgress(job({ completions: 9 }), pods, NOW).backOffMs).toBe(waitMs);
});

test('indexes are shown as ranges', () => {
  expect(indexRanges(new Set([5, 0, 2, 1, 7, 8]))).toBe('0-2,5,7-8');
});
