import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DefinitionValidator } from '../fixtures/crd-validation.ts';
import { crdFiles } from '../generate/crds.ts';
import { isCompiledGoProgram } from '../setup/go-programs.mjs';

/** All is compiled; linking takes seconds, and on a busy machine longer. */
const LINKING_MS = 300_000;

/** A rule that runs over each of a list without a bound, which no API server takes. */
const UNBOUNDED = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: things.example.com }
spec:
  group: example.com
  scope: Namespaced
  names: { plural: things, singular: thing, kind: Thing, listKind: ThingList }
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                names: { type: array, items: { type: string } }
              x-kubernetes-validations:
                - rule: self.names.all(a, self.names.exists(b, a + b == b + a))
`;

describe.skipIf(!isCompiledGoProgram('crd-validation'))(
  "a Kubernetes API server's own validation (skipped until npm run conformance -- --against kube-apiserver has compiled it)",
  () => {
    let validator: DefinitionValidator;
    beforeAll(() => {
      validator = new DefinitionValidator();
    }, LINKING_MS);
    afterAll(() => validator[Symbol.dispose]());

    test('takes every definition in deploy/crds', () => {
      const found = validator.validate([...crdFiles().values()].join('\n---\n'));
      expect(Object.keys(found).length).toBeGreaterThan(20);
      expect(Object.entries(found).filter(([, mistakes]) => mistakes.length > 0)).toEqual([]);
    });

    test('refuses a rule whose cost has no bound', () => {
      const { 'things.example.com': mistakes = [] } = validator.validate(UNBOUNDED);
      expect(mistakes.join('\n')).toMatch(/estimated rule cost .* exceeds budget/);
    });
  },
);
