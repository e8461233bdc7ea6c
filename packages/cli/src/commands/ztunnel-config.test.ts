import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { CliContext } from '../context.ts';
import { addZtunnelConfig } from './ztunnel-config.ts';

const GOLDEN = new URL('../../../../test/fixtures/golden/ztunnel/', import.meta.url);
const DUMP = fileURLToPath(new URL('client.config_dump.json', GOLDEN));

/** Commands of istioctl and what they printed, from one file of `$ command` lines and their output. */
const recorded = readFileSync(new URL('istioctl.txt', GOLDEN), 'utf8')
  .split(/^\$ istioctl /m)
  .slice(1)
  .map((block): [string, string] => {
    const end = block.indexOf('\n');
    return [block.slice(0, end), `${block.slice(end + 1).trimEnd()}\n`];
  });

async function run(commandLine: string): Promise<string> {
  let printed = '';
  const stdout = { write: (text: string) => (printed += text) };
  const program = new Command('aquifer');
  addZtunnelConfig(program, { stdout } as unknown as CliContext);
  await program.parseAsync(commandLine.replace('client.config_dump.json', DUMP).split(' '), {
    from: 'user',
  });
  return printed;
}

// The recorded certificates are valid for a day.
beforeAll(() => {
  vi.useFakeTimers({ now: new Date('2026-11-21T16:00:00Z'), toFake: ['Date'] });
});
afterAll(() => {
  vi.useRealTimers();
});

test.each(recorded)('%s prints what istioctl prints', async (commandLine, output) => {
  expect(await run(commandLine)).toBe(output);
});

test('filters take any case', async () => {
  const command = `ztunnel-config workloads --file client.config_dump.json --workload-namespace SHOP`;
  expect((await run(`${command} --workload-node N2`)).split('\n')).toHaveLength(4);
  expect((await run(`${command} --address 10.77.0.9`)).split('\n')).toHaveLength(3);
});

test('policies, certificates and YAML have the fields of istioctl in its order', async () => {
  const fields = async (view: string) => {
    const [first] = JSON.parse(
      await run(`ztunnel-config ${view} --file client.config_dump.json -o json`),
    ) as [object];
    return Object.keys(first);
  };
  expect(await fields('policies')).toEqual(['name', 'namespace', 'scope', 'action', 'rules']);
  expect(await fields('certificates')).toEqual(['identity', 'state', 'certChain', 'rootCerts']);
  expect(await run(`ztunnel-config policies --file client.config_dump.json -o yaml`)).toMatch(
    /^- action: Deny\n {2}name: dry\n {2}namespace: shop\n {2}rules:\n {2}- - - destinationPorts:\n/,
  );
});
