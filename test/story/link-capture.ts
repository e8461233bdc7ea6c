import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Packets that crossed the link between the nodes. */
export interface CapturedPackets {
  readonly bytes: Buffer;
  /** Destination ports of TCP packets towards the given address, and source ports of those from it. */
  portsOf(ip: string): number[];
}

/** supported_versions of a ServerHello that chose TLS 1.3 (RFC 8446 4.2.1). */
const TLS13_CHOSEN = Buffer.from([0x00, 0x2b, 0x00, 0x02, 0x03, 0x04]);

/** Whether a TLS 1.3 handshake was seen. */
export function showsTls13(packets: CapturedPackets): boolean {
  return packets.bytes.includes(TLS13_CHOSEN);
}

const SETTLE_MS = 300;

/** Records what crosses a node's link to the other nodes while an action runs. */
export async function captureLink<T>(
  node: string,
  action: () => Promise<T>,
): Promise<{ readonly packets: CapturedPackets; readonly result: T }> {
  const directory = mkdtempSync(join(tmpdir(), 'aquifer-link-'));
  const file = join(directory, 'link.pcap');
  const command = [
    'netns',
    'exec',
    `aqf-${node}`,
    'tcpdump',
    '-i',
    'fabric',
    '-s',
    '0',
    '-U',
    // Otherwise packets wait in a buffer for up to a second, and are lost when the capture ends.
    '--immediate-mode',
    '-Z',
    'root',
    '-w',
    file,
    'tcp',
  ];
  const tcpdump = spawn('ip', command, { stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    await listening(tcpdump.stderr);
    const result = await action();
    await delay(SETTLE_MS);
    tcpdump.kill('SIGINT');
    await once(tcpdump, 'exit');
    return { packets: readPackets(file), result };
  } finally {
    tcpdump.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The stream stays open: tcpdump writes a summary to it when it ends. */
function listening(stderr: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('listening on')) resolve();
    });
    stderr.on('end', () => reject(new Error(`tcpdump did not start: ${text}`)));
  });
}

function readPackets(file: string): CapturedPackets {
  const bytes = readFileSync(file);
  const listing = execFileSync('tcpdump', ['-nn', '-r', file], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1 << 28,
  });
  return {
    bytes,
    portsOf: (ip) => {
      const ports = new Set<number>();
      for (const [, port] of listing.matchAll(
        new RegExp(`${ip.replaceAll('.', '\\.')}\\.(\\d+)`, 'g'),
      )) {
        ports.add(Number(port));
      }
      return [...ports].toSorted((a, b) => a - b);
    },
  };
}
