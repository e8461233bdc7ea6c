/** Writes `docs/what-changes-what.md` from the table of its test. Run by `npm run generate`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { whatChangesPage } from '../conformance/control-plane/what-changes/page.ts';

const file = join(import.meta.dirname, '../../docs/what-changes-what.md');

/** The text that the page has. */
export function whatChangesOnDisk(): string {
  return readFileSync(file, 'utf8');
}

if (import.meta.main) writeFileSync(file, whatChangesPage());
