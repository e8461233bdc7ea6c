import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../fixtures/eventually.ts';

const run = promisify(execFile);
/** Namespaces are called aqb<pid>-<name>, so that what a killed run left can be told from a running one's. */
const NAME = /^aqb(\d+)-/;

export const CLIENT_ADDRESS = '10.88.0.1';
export const SERVER_ADDRESS = '10.88.0.2';

/** Two network namespaces joined by a veth pair, `eth0` in both. */
export interface NamespacePair {
  readonly client: string;
  readonly server: string;
}

/** What a run makes on this machine: namespaces, processes, one directory. Disposing removes all of it. */
export class BenchMachine {
  /** For configuration and certificates. */
  readonly directory = mkdtempSync(join(tmpdir(), 'aquifer-bench-'));
  readonly #signal: AbortSignal;
  readonly #namespaces: string[] = [];
  readonly #processes: ChildProcess[] = [];

  /** When `signal` aborts, commands end and what waits for them rejects. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    removeLeftovers();
  }

  addPair(name: string): NamespacePair {
    const pair = {
      client: this.#addNamespace(`${name}-c`),
      server: this.#addNamespace(`${name}-s`),
    };
    ip(`link add eth0 netns ${pair.client} type veth peer name eth0 netns ${pair.server}`);
    for (const [namespace, address] of [
      [pair.client, CLIENT_ADDRESS],
      [pair.server, SERVER_ADDRESS],
    ]) {
      ip(`-n ${namespace} addr add ${address}/24 dev eth0`);
      ip(`-n ${namespace} link set eth0 up`);
      ip(`-n ${namespace} link set lo up`);
      // Thousands of short connections a second between the same two addresses must not run out of ports.
      const ports = 'net.ipv4.ip_local_port_range=16000 65000';
      inNamespace(namespace!, ['sysctl', '-qw', ports, 'net.ipv4.tcp_tw_reuse=1']);
    }
    return pair;
  }

  /** Starts a program that stays; its pid is the program's own. Its errors appear on standard error. */
  start(
    command: readonly string[],
    options: {
      readonly namespace?: string;
      readonly output?: 'pipe' | 'ignore';
      /** Beside the environment of this process. */
      readonly env?: Readonly<Record<string, string>>;
    } = {},
  ): ChildProcess {
    const { namespace, output = 'ignore', env = {} } = options;
    const [program, ...args] = [...enter(namespace), ...command];
    const child = spawn(program!, args, {
      stdio: ['pipe', output, 'inherit'],
      env: { ...process.env, ...env },
    });
    child.once('error', (error) => console.error(error.message));
    this.#processes.push(child);
    return child;
  }

  /** Runs a program to its end and returns its output. */
  async run(command: readonly string[], namespace?: string): Promise<string> {
    const [program, ...args] = [...enter(namespace), ...command];
    const { stdout } = await run(program!, args, { signal: this.#signal, maxBuffer: 1 << 26 });
    return stdout;
  }

  /** Runs an nft program in a namespace. */
  applyRules(namespace: string, rules: string): void {
    inNamespace(namespace, ['nft', '-f', '-'], rules);
  }

  /** Waits until an HTTP request from the namespace is answered. */
  async untilAnswered(namespace: string, url: string): Promise<void> {
    await eventually(async () => {
      this.#signal.throwIfAborted();
      return this.run(['curl', '-sf', '--max-time', '2', '-o', '/dev/null', url], namespace).then(
        () => true,
        () => false,
      );
    });
  }

  async stop(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#processes) await this.stop(child);
    for (const namespace of this.#namespaces) ip(`netns del ${namespace}`);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #addNamespace(name: string): string {
    const namespace = `aqb${process.pid}-${name}`;
    ip(`netns add ${namespace}`);
    this.#namespaces.push(namespace);
    return namespace;
  }
}

function enter(namespace: string | undefined): string[] {
  return namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace];
}

function inNamespace(namespace: string, command: readonly string[], input = ''): void {
  const [program, ...args] = [...enter(namespace), ...command];
  execFileSync(program!, args, { input, stdio: ['pipe', 'ignore', 'pipe'] });
}

function ip(args: string): void {
  execFileSync('ip', args.split(' '), { stdio: ['ignore', 'ignore', 'pipe'] });
}

function removeLeftovers(): void {
  const running = new Set(readdirSync('/proc'));
  const listed = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  for (const line of listed.split('\n')) {
    const name = line.split(' ')[0] ?? '';
    const pid = NAME.exec(name)?.[1];
    if (pid !== undefined && !running.has(pid)) ip(`netns del ${name}`);
  }
}
