import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { installationRoot } from '@aquifer/runtime';
import { type Command, Option } from 'commander';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { leaveSandbox, SANDBOX_CONTEXT, switchToSandbox } from '../kubectl-context.ts';
import { collect, integerBetween } from '../option-values.ts';
import { formatTable } from '../output/table.ts';
import {
  runningSandbox,
  type SandboxPaths,
  sandboxPaths,
  startSandboxProcess,
  stopSandboxProcess,
} from '../sandbox-process.ts';
import { findProgram } from '../tool-path.ts';
import { addSandboxImages } from './sandbox-images.ts';
import { addSandboxShell } from './sandbox-shell.ts';

const EXAMPLES = `
Examples:
  aquifer sandbox up                 # two nodes, the mesh installed
  aquifer sandbox up --nodes 3 --no-mesh
  kubectl get pods -A                # its context is aquifer-sandbox now
  aquifer sandbox shell              # a shell with kubectl, where there is none
  aquifer sandbox images load cart.tar
  aquifer sandbox down               # leaves nothing behind`;

interface UpOptions {
  readonly nodes: number;
  readonly port: number;
  readonly mesh: boolean;
  readonly egress?: boolean;
  readonly image?: readonly string[];
  readonly imageFile?: string;
  /** Of the program: where kubectl's context goes. */
  readonly kubeconfig?: string;
}

export function addSandbox(program: Command, context: CliContext): void {
  const group = program
    .command('sandbox')
    .description('A Kubernetes cluster on this machine, without containers, with the mesh in it')
    .addHelpText('after', EXAMPLES);
  group
    .command('up')
    .description('Start the sandbox and install the mesh')
    .option('--nodes <count>', 'number of nodes', integerBetween(1, 250), 2)
    .option(
      '--port <port>',
      'port of the Kubernetes API on 127.0.0.1; 0 picks a free one',
      integerBetween(0, 65_535),
      6443,
    )
    .option('--no-mesh', 'leave the mesh out')
    .option('--egress', 'let pods reach what this machine reaches, under its address')
    .option(
      '--image <name=program>',
      'an image that stands for a program of this machine, with its arguments; may be given again',
      collect,
    )
    .option('--image-file <path>', 'a file of such images, one a line')
    .addHelpText(
      'after',
      '\nExamples:\n  aquifer sandbox up --nodes 3\n  aquifer sandbox up --image shop/cart="/srv/cart/server --port 8080"\n  aquifer sandbox up --no-mesh --egress',
    )
    .action((_options: UpOptions, command: Command) => up(context, command.optsWithGlobals()));
  group
    .command('down')
    .description('Take the sandbox down and remove everything it made, also after a crash')
    .addHelpText('after', '\nExample:\n  aquifer sandbox down')
    .action(() => down(context));
  group
    .command('status')
    .description('Show whether a sandbox runs here, and what is in it')
    .addHelpText(
      'after',
      '\nExample:\n  kubectl --kubeconfig $(aquifer sandbox status -o kubeconfig) get pods -A',
    )
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['short', 'json', 'kubeconfig'])
        .default('short'),
    )
    .action((options: { output: string }) => status(context, options.output));
  group
    .command('env')
    .description(
      'Print what a shell needs to talk to the sandbox: KUBECONFIG, and where kubectl is',
    )
    .addHelpText('after', '\nExample:\n  eval "$(aquifer sandbox env)"')
    .action(() => printEnvironment(context));
  addSandboxShell(group, context);
  addSandboxImages(group, context);
}

async function up(context: CliContext, options: UpOptions): Promise<void> {
  const paths = sandboxPaths(context.env);
  const running = runningSandbox(paths);
  if (running !== null) {
    throw new CliError(
      `a sandbox is running already (process ${running.pid}, ${running.url})`,
      'use it, or take it down first: aquifer sandbox down',
    );
  }
  const { progress } = context;
  const env = {
    ...context.env,
    SANDBOX_NODES: String(options.nodes),
    SANDBOX_API_PORT: String(options.port),
    SANDBOX_IMAGES: ownImages(options),
    ...(options.egress === true ? { SANDBOX_EGRESS: 'true' } : {}),
  };
  await progress.step(`Kubernetes API and ${options.nodes} nodes`, () =>
    startSandboxProcess(paths, env),
  );
  await orTakenDown(context, paths, () => install(context, paths, options));
  const file = switchToSandbox(paths, context.env, options.kubeconfig);
  const where = file === null ? 'KUBECONFIG' : `context ${SANDBOX_CONTEXT} in ${file}`;
  const next = [
    ['npx aquifer sandbox shell', 'a shell that has kubectl and aquifer'],
    [`kubectl apply -f ${samplePath()}`, 'something to look at'],
    options.mesh
      ? ['kubectl label namespace shop istio.io/dataplane-mode=ambient', 'into the mesh with it']
      : ['npx aquifer install', 'the mesh'],
  ];
  const width = Math.max(...next.map(([command = '']) => command.length));
  const lines = next.map(([command = '', why]) => `  ${command.padEnd(width)}  # ${why}\n`);
  context.stdout.write(
    `\nThe sandbox is up, and kubectl talks to it (${where}):\n${lines.join('')}`,
  );
}

function ownImages({ image = [], imageFile }: UpOptions): string {
  if (imageFile === undefined) return image.join('\n');
  if (!existsSync(imageFile)) throw new CliError(`--image-file ${imageFile}: no such file`);
  return [...image, readFileSync(imageFile, 'utf8')].join('\n');
}

async function install(
  { progress }: CliContext,
  paths: SandboxPaths,
  options: UpOptions,
): Promise<void> {
  const [{ clusterOfFile }, { applyAll }, { readDefinitions, readManifests }, { untilMeshReady }] =
    await Promise.all([
      import('../cluster.ts'),
      import('../installation/apply.ts'),
      import('../installation/render.ts'),
      import('../installation/readiness.ts'),
    ]);
  const cluster = clusterOfFile(paths.kubeconfig);
  await progress.step('Custom resources of Gateway API and Istio', () =>
    applyAll(cluster, readDefinitions()),
  );
  if (options.mesh) {
    await progress.step('Control plane (istiod)', async () => {
      await applyAll(cluster, readManifests('control-plane.yaml'));
      await untilMeshReady(cluster, 'control plane');
    });
    await progress.step('Node proxies (ztunnel)', async () => {
      await applyAll(cluster, readManifests('ztunnel.yaml'));
      await untilMeshReady(cluster, 'node proxies');
    });
  }
}

/** Ctrl-C takes the sandbox down again, as it does while the sandbox starts; what fails otherwise stays for a look. */
async function orTakenDown(
  context: CliContext,
  paths: SandboxPaths,
  action: () => Promise<void>,
): Promise<void> {
  const interruption: { takenDown?: Promise<boolean> } = {};
  const onSignal = (): void => {
    interruption.takenDown ??= context.progress.step('Sandbox taken down', () =>
      stopSandboxProcess(paths, context.env),
    );
  };
  // Not once: a terminal interrupts the whole process group, so that the same Ctrl-C arrives again from our launcher.
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    await action().catch((error: unknown) => {
      // Without its API the action fails, soon.
      if (interruption.takenDown === undefined) throw error;
    });
    if (interruption.takenDown === undefined) return;
    await interruption.takenDown;
    throw new CliError('interrupted; the sandbox was taken down again');
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** As it is typed from where the user is. */
function samplePath(): string {
  const absolute = join(installationRoot(import.meta.dirname), 'deploy', 'samples', 'shop.yaml');
  const fromHere = relative(process.cwd(), absolute);
  return fromHere.startsWith('..') ? absolute : fromHere;
}

/** For `eval`: nothing but assignments on stdout; advice goes to stderr. */
function printEnvironment(context: CliContext): void {
  const paths = sandboxPaths(context.env);
  if (runningSandbox(paths) === null)
    throw new CliError('no sandbox is running', 'start one with: aquifer sandbox up');
  context.stdout.write(`export KUBECONFIG=${shellWord(paths.kubeconfig)}\n`);
  const kubectl = findProgram('kubectl', context.env);
  if (kubectl === null) {
    context.progress.note(
      'kubectl is not on this machine: npm test installs one, or see kubernetes.io',
    );
  } else if (kubectl.isOfSetup) {
    context.stdout.write(`export PATH="$PATH":${shellWord(kubectl.directory)}\n`);
  }
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

async function down({ env, progress, stdout }: CliContext): Promise<void> {
  const paths = sandboxPaths(env);
  const isRunning = runningSandbox(paths) !== null;
  const title = isRunning ? 'Sandbox taken down' : 'Leftovers, if any, removed';
  leaveSandbox(paths);
  await progress.step(title, () => stopSandboxProcess(paths, env));
  stdout.write(isRunning ? 'Nothing is left behind.\n' : 'No sandbox was running.\n');
  if (env.KUBECONFIG === paths.kubeconfig)
    progress.note("This shell's KUBECONFIG names a cluster that is gone: unset KUBECONFIG");
}

async function status(context: CliContext, output: string): Promise<void> {
  const paths = sandboxPaths(context.env);
  const state = runningSandbox(paths);
  if (output === 'json') {
    context.stdout.write(`${JSON.stringify({ running: state !== null, ...state }, null, 2)}\n`);
    return;
  }
  if (state === null)
    throw new CliError('no sandbox is running', 'start one with: aquifer sandbox up');
  if (output === 'kubeconfig') {
    context.stdout.write(`${paths.kubeconfig}\n`);
    return;
  }
  const { clusterOfFile } = await import('../cluster.ts');
  const { core } = clusterOfFile(paths.kubeconfig);
  const [nodes, pods] = await Promise.all([core.listNode(), core.listPodForAllNamespaces()]);
  const rows = nodes.items.map(({ metadata, status: nodeStatus }) => {
    const name = metadata?.name ?? '';
    const ready = nodeStatus?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
    const count = pods.items.filter(({ spec }) => spec?.nodeName === name).length;
    return [name, ready ? 'Ready' : 'NotReady', String(count)];
  });
  context.stdout.write(
    `Sandbox at ${state.url}, process ${state.pid}, since ${state.startedAt}\nKUBECONFIG=${paths.kubeconfig}\n\n${formatTable(['NODE', 'STATUS', 'PODS'], rows)}`,
  );
}
