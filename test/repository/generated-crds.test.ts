import { expect, test } from 'vitest';
import { crdFileOnDisk, crdFiles } from '../generate/crds.ts';

test.for([...crdFiles()])('deploy/crds/%s is what the descriptions generate', ([name, text]) => {
  expect(crdFileOnDisk(name)).toBe(text);
});
