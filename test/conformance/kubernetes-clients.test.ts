import { expect, test } from 'vitest';
import { runKubernetesClient } from '../fixtures/kubernetes-client.ts';
import { isCompiledGoProgram } from '../setup/go-programs.mjs';

const STEPS = [
  'what is created comes back whole, of every kind',
  'an update of an old version is a conflict, a name that is taken and one that is not there are said to be so',
  'apply configurations merge lists by key, and tell owners apart',
  'a strategic merge patch adds to lists',
  'scale, token and eviction are subresources',
  'informers hold what is there, and hear of additions, changes and deletions',
  'informers of metadata alone see the same objects',
  'a lease has one leader, and the next one leads when it is given up',
  'events are recorded in both of their APIs',
  'a controller-runtime manager reconciles, as leader',
  'all of this went in protobuf, both ways',
];

test.skipIf(!isCompiledGoProgram('kubernetes-client'))(
  'programs on client-go and controller-runtime work with our API (skipped until npm run conformance -- --against client-go has compiled them, which takes minutes)',
  async () => {
    expect(await runKubernetesClient()).toEqual(STEPS.map((step) => ({ step })));
  },
  60_000,
);
