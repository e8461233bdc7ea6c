import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** `npm run generate`: TypeScript from `packages/wire/proto`, committed beside the code that uses it. */
const ROOT = join(import.meta.dirname, '..', '..');
execFileSync(join(ROOT, 'node_modules', '.bin', 'buf'), ['generate'], {
  cwd: join(ROOT, 'packages', 'wire'),
  stdio: 'inherit',
  env: { ...process.env, PATH: `${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH}` },
});
