import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

const ENTRY = new URL('./index.ts', import.meta.url).href;

/** A process whose program starts with this function body, which has `config` and `log`. */
function launch(start: string, env: Readonly<Record<string, string>> = {}): ChildProcess {
  const script = `
    import { OPERATOR_KEYS, runProgram, stringKey } from ${JSON.stringify(ENTRY)};
    const keys = { ...OPERATOR_KEYS, logLevels: stringKey('LOG_LEVEL', 'Levels.', { default: 'info' }) };
    await runProgram({ name: 'example', keys, env: process.env, start: async (config, log) => {${start}} });`;
  return spawn(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

interface Ended {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

async function untilEnd(child: ChildProcess): Promise<Ended> {
  const [output, errors, [status]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'exit'),
  ]);
  return { status, output, errors };
}

/** Sends the signal as soon as the program has written something. */
async function endAfterFirstLine(child: ChildProcess, signal: NodeJS.Signals): Promise<Ended> {
  child.stdout!.once('readable', () => child.kill(signal));
  return untilEnd(child);
}

const SERVING = 'log.info("started"); setInterval(() => {}, 1000);';

test('every mistake in the environment is printed before the process ends with 64', async () => {
  const env = { ADMIN_PORT: 'many', LOG_FORMAT: 'xml' };
  const { status, errors } = await untilEnd(launch(SERVING, env));
  expect(status).toBe(64);
  expect(errors).toMatch(/^example cannot start:\nADMIN_PORT: .*\nLOG_FORMAT: .*\n$/);
});

test.for(['SIGTERM', 'SIGINT'] as const)('%s drains the program before it ends', async (signal) => {
  const drain = `drain: async () => { log.info('finished its work'); }`;
  const child = launch(`${SERVING} return { ${drain}, failed: null };`);
  const { status, output } = await endAfterFirstLine(child, signal);
  expect(status).toBe(0);
  expect(output).toContain(`draining\tsignal="${signal}"`);
  expect(output).toContain('finished its work');
});

test('a start that waits for others ends at the signal', async () => {
  const { status } = await endAfterFirstLine(
    launch(`${SERVING} await new Promise(() => {});`),
    'SIGTERM',
  );
  expect(status).toBe(0);
});

test.for([
  { loss: 'a start that fails', start: 'throw new Error("port is taken");' },
  {
    loss: 'a part that is lost',
    start: 'return { drain: async () => {}, failed: Promise.reject(new Error("port is taken")) };',
  },
])('$loss is logged and ends the process with 1', async ({ start }) => {
  const { status, output } = await untilEnd(launch(start));
  expect(status).toBe(1);
  expect(output).toContain('error\texample\tfailed\terror="Error: port is taken');
});
