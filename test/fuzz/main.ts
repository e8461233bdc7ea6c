import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const USAGE = `usage: npm run fuzz -- [word ...] [--minutes <n>]

Tries decoders and state machines with generated input, in rounds of 20 s for each property, until one fails or the
time is over.

  word           only files whose path has one of these words
  --minutes <n>  when to begin no further round (default 10)

A failure prints the smallest input it found. Put it into the property's "examples", mend the code, and it stays.

Examples:
  npm run fuzz
  npm run fuzz -- http2 dns --minutes 60
`;
const ROOT = join(import.meta.dirname, '../..');
const ROUND_SECONDS = 20;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
});

/** Returns only when no round has failed. */
function fuzz(words: readonly string[], minutes: number): void {
  const files = globSync('{packages/*/src,test/conformance}/**/*.test.ts', { cwd: ROOT })
    .filter((file) => readFileSync(join(ROOT, file), 'utf8').includes('/fuzz/runs.ts'))
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
  if (files.length === 0) {
    console.error(`No file with a property has ${words.join(' or ')} in its path.`);
    process.exit(1);
  }
  const vitest = [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'unit'];
  const env = { ...process.env, FUZZ_SECONDS: String(ROUND_SECONDS) };
  const end = Date.now() + minutes * 60_000;
  while (Date.now() < end) {
    const { status } = spawnSync(process.execPath, [...vitest, ...files], {
      cwd: ROOT,
      env,
      stdio: 'inherit',
    });
    if (status !== 0) process.exit(status ?? 1);
  }
}

if (flags.help) {
  console.log(USAGE);
} else if (Number(flags.minutes) > 0) {
  fuzz(positionals, Number(flags.minutes));
} else {
  console.error(`--minutes ${flags.minutes}: it must be a number of minutes, such as 10.`);
  process.exit(1);
}
