import { expect, test } from 'vitest';
import { cliDocs, cliDocsOnDisk } from '../generate/cli-docs.ts';

test('docs/cli.md is what the commands say of themselves', () => {
  expect(cliDocsOnDisk()).toBe(cliDocs());
});
