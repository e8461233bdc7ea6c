import { expect, test } from 'vitest';
import { whatChangesPage } from '../conformance/control-plane/what-changes/page.ts';
import { whatChangesOnDisk } from '../generate/what-changes-docs.ts';

test('docs/what-changes-what.md is what its table generates', () => {
  expect(whatChangesOnDisk()).toBe(whatChangesPage());
});
