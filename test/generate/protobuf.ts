import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `npm run generate`: TypeScript from `packages/wire/proto`, committed beside the code that uses it. */
const ROOT = join(import.meta.dirname, '..', '..');
execFileSync(join(ROOT, 'node_modules', '.bin', 'buf'), ['generate'], {
  cwd: join(ROOT, 'packages', 'wire'),
  stdio: 'inherit',
  env: { ...process.env, PATH: `${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH}` },
});

/** Whatever an Any may hold: to show configuration as JSON. */
const GENERATED = join(ROOT, 'packages', 'wire', 'src', 'gen');
const names = readdirSync(GENERATED, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('_pb.ts'))
  .toSorted();
const fileOf = (name: string): string =>
  `file_${name.slice(0, -'_pb.ts'.length).replaceAll('/', '_')}`;
writeFileSync(
  join(GENERATED, 'all_files.ts'),
  [
    '// @generated from the files beside it by test/generate/protobuf.ts',
    "import type { DescFile } from '@bufbuild/protobuf';",
    ...names.map((name) => `import { ${fileOf(name)} } from './${name}';`),
    '',
    '/** Every file of this folder. */',
    'export const ALL_FILES: readonly DescFile[] = [',
    ...names.map((name) => `  ${fileOf(name)},`),
    '];',
    '',
  ].join('\n'),
);
