import { readdirSync } from 'node:fs';
import { ALL_FILES } from '@aquifer/wire/gen/all_files';
import { expect, test } from 'vitest';

const GENERATED = new URL('../../packages/wire/src/gen/', import.meta.url);

test('the list of generated messages has every file that is there', () => {
  const files = readdirSync(GENERATED, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('_pb.ts'))
    .map((name) => name.slice(0, -'_pb.ts'.length));
  expect(ALL_FILES.map(({ name }) => name).toSorted()).toEqual(files.toSorted());
});
