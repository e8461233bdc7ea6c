import { expect, test } from 'vitest';
import { capabilityDocs, capabilityDocsOnDisk } from '../generate/capability-docs.ts';

test('docs/waypoint-capabilities.md is what the table of the waypoint generates', () => {
  expect(capabilityDocsOnDisk()).toBe(capabilityDocs());
});
