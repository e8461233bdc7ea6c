/**
 * What Kubernetes stores of what was sent: recorded from the defaulting and conversion functions of the published module
 * `k8s.io/kubernetes` 1.34.1, before anything is admitted or allocated.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type JsonObject, objectOr } from '../json.ts';
import { bodyRefusal, decodeObject } from '../objects/decode.ts';
import type { WriteRequest } from '../objects/write-request.ts';
import { ResourceRegistry } from '../resource-registry.ts';
import { networkPolicyDefaults } from './network-defaults.ts';

const RECORDED = new URL(
  '../../../../test/fixtures/golden/defaults/kubernetes-1.34.json',
  import.meta.url,
);
const recorded: Readonly<Record<string, { sent: JsonObject; stored: JsonObject }>> = JSON.parse(
  readFileSync(RECORDED, 'utf8'),
);

/** Ours come with the defaults; a real server's admission plugins and strategies add them in the same request. */
const LATER = ['serviceAccountName', 'serviceAccount', 'preemptionPolicy', 'priority'];

const registry = new ResourceRegistry();
const request: WriteRequest = {
  user: { username: 'test', groups: [] },
  manager: 'test',
  fieldValidation: 'Strict',
  dryRun: false,
  warn: () => undefined,
};

test('a NetworkPolicy with an empty list of egress is of ingress only', () => {
  const policy: JsonObject = { spec: { podSelector: {}, egress: [] } };
  networkPolicyDefaults(policy);
  expect(policy.spec).toMatchObject({ policyTypes: ['Ingress'] });
});

test.for(Object.entries(recorded))('%s gets the defaults of Kubernetes', ([, { sent, stored }]) => {
  const resource = registry.findKind(String(sent.apiVersion), String(sent.kind))!;
  const { object } = decodeObject(resource, sent, request, bodyRefusal(resource));
  const { status: ours, ...rest } = object;
  const { status: theirs, ...expected } = stored;
  // A number of the template for clients of a version that is long gone.
  delete objectOr(expected.metadata).annotations;
  const theirSpec = objectOr(expected.spec);
  for (const field of LATER) {
    if (theirSpec[field] === undefined) delete objectOr(rest.spec)[field];
  }
  expect(rest).toEqual(expected);
  expect(objectOr(ours)).toMatchObject(objectOr(theirs));
});
