/** `npm run demo [-- --keep]`: the story of the README, told on a sandbox of this machine, every claim checked. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cleanUpSandbox, machineTraces } from '../fixtures/sandbox.ts';
import { aquifer } from '../story/kubectl.ts';
import { Narrator } from './narrator.ts';
import { Stage } from './stage.ts';
import * as story from './story.ts';

const INTERRUPTED = 130;
const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
const narrator = new Narrator(process.stdout);
const stateHome = process.env.XDG_STATE_HOME || join(process.env.HOME || homedir(), '.local/state');
const kubeconfig = join(process.env.SANDBOX_DATA_DIR || join(stateHome, 'aquifer'), 'kubeconfig');

/** Whoever watches keeps the context of their own kubectl. */
const env = { ...process.env, KUBECONFIG: kubeconfig };

async function takeDown(): Promise<boolean> {
  return (await aquifer(process.env, ['sandbox', 'down'])).code === 0;
}

async function bringUp(): Promise<boolean> {
  narrator.typed('npx aquifer sandbox up');
  const onErrorLine = (line: string): void => narrator.cameBack(line);
  const { code } = await aquifer(env, ['sandbox', 'up'], { onErrorLine });
  return code === 0;
}

async function tell(): Promise<void> {
  const stage = new Stage(narrator, kubeconfig, process.env);
  for (const { title, claims, tell: part } of story.CHAPTERS) {
    await narrator.chapter({ title, claims, tell: () => part(stage) });
  }
}

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

async function finish(before: Record<string, unknown>): Promise<void> {
  if (values.keep) {
    explainKept();
    return;
  }
  await narrator.chapter({ title: 'The sandbox goes', claims: 1, tell: () => goes(before) });
}

async function goes(before: Record<string, unknown>): Promise<void> {
  narrator.typed('npx aquifer sandbox down');
  const isDown = await takeDown();
  const after = machineTraces();
  const changed = Object.keys(after).filter(
    (name) => JSON.stringify(after[name]) !== JSON.stringify(before[name]),
  );
  for (const name of changed) {
    narrator.cameBack(`${name} before: ${JSON.stringify(before[name])}`);
    narrator.cameBack(`${name} now:    ${JSON.stringify(after[name])}`);
  }
  const what = 'no namespace, link, rule, cgroup, mount, process or file is left behind';
  narrator.claim(what, isDown && changed.length === 0);
}

let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (isInterrupted) return;
    isInterrupted = true;
    process.stdout.write('\ninterrupted: taking the sandbox down …\n');
    void takeDown().finally(() => process.exit(INTERRUPTED));
  });
}

/** Without what an interrupted sandbox left; if one is alive, that says which and how to end it. */
function cleanMachine(): Record<string, unknown> {
  try {
    cleanUpSandbox();
  } catch {
    process.exit(1);
  }
  return machineTraces();
}

const before = cleanMachine();
await narrator.chapter({
  title: 'A Kubernetes cluster of two nodes on this machine, with the mesh',
  claims: 1,
  tell: async () => narrator.claim('the sandbox is up', await bringUp()),
});
if (narrator.failed.length === 0) {
  await tell();
  await finish(before);
}
narrator.summary();
process.exitCode = narrator.failed.length === 0 ? 0 : 1;
