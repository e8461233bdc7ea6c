/** `npm run demo`: the story of the README, told on a sandbox of this machine, every claim checked. */
import { mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cleanUpSandbox } from '../fixtures/sandbox.ts';
import { chapters, END } from '../story/chapters/index.ts';
import { Narrator } from '../story/narrator.ts';
import { Stage } from '../story/stage.ts';
import { Telling, type Verdict } from '../story/telling.ts';
import { writeTranscript } from './transcript.ts';

const INTERRUPTED = 130;
const USAGE = `usage: npm run demo [-- --keep | --transcript]

Tells the story of the mesh on a sandbox of this machine, and checks every claim that it makes. As root; three minutes.

  --keep        the sandbox stays, and what to try in it is said
  --transcript  if every claim holds, writes what was told to docs/story.md, and its beginning to README.md

  npm run demo -- --keep
`;

const { values } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    transcript: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

const stateHome = process.env.XDG_STATE_HOME || join(process.env.HOME || homedir(), '.local/state');
const kubeconfig = join(process.env.SANDBOX_DATA_DIR || join(stateHome, 'aquifer'), 'kubeconfig');
let told = '';
const stream = {
  isTTY: process.stdout.isTTY && !values.transcript,
  write: (text: string): void => {
    told += text;
    process.stdout.write(text);
  },
};
const narrator = new Narrator(stream);
// Whoever watches keeps the context of their own kubectl.
const contexts = mkdtempSync(join(tmpdir(), 'aquifer-demo-'));
process.once('exit', () => rmSync(contexts, { recursive: true, force: true }));
const stage = new Stage({
  narrator,
  kubeconfig,
  env: { ...process.env, KUBECONFIG: join(contexts, 'config') },
});

function explainKept(): void {
  process.stdout.write(`
The sandbox is still running. In another shell:
  eval "$(npx aquifer sandbox env)"
  kubectl get pods -A
  kubectl label namespace shop istio.io/dataplane-mode=ambient
  kubectl wait -n shop pod --all --for=condition=ambient.istio.io/Captured
  kubectl exec -n shop deploy/client -- curl -s http://server.shop/
  kubectl logs -n istio-system -l app=ztunnel | grep access
  npx aquifer ztunnel-config workloads
  npx aquifer sandbox down        # leaves nothing behind
`);
}

let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (isInterrupted) return;
    isInterrupted = true;
    process.stdout.write('\ninterrupted: taking the sandbox down …\n');
    void stage
      .takeDown()
      .catch(() => undefined)
      .finally(() => process.exit(INTERRUPTED));
  });
}

/** Without what an interrupted sandbox left; if one is alive, that says which and how to end it. */
function cleanMachine(): void {
  try {
    cleanUpSandbox();
  } catch {
    process.exit(1);
  }
}

cleanMachine();
const startedAtMs = performance.now();
const telling = new Telling(stage, values.keep ? chapters() : [...chapters(), END]);
const verdicts: Verdict[] = [];
for (const claim of telling.claims) verdicts.push(await telling.verdictOn(claim));
narrator.summary(verdicts, (performance.now() - startedAtMs) / 1000);
const areHeld = verdicts.every(({ problem }) => problem === null);
if (values.keep) explainKept();
if (values.transcript && areHeld) writeTranscript(told);
process.exitCode = areHeld ? 0 : 1;
