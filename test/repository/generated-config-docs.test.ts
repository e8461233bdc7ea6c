import { expect, test } from 'vitest';
import { configDocs, configDocsOnDisk } from '../generate/config-docs.ts';

test('docs/config.md is what the declarations of the variables generate', () => {
  expect(configDocsOnDisk()).toBe(configDocs());
});
