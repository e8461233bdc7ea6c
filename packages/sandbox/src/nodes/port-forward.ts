import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { LAUNCH_ENVIRONMENT } from './container-launch.ts';

const CONNECTED = 'connected';

/**
 * Joins its stdin and stdout to a port: it runs inside the pod's network namespace, which this process cannot enter
 * itself without taking its other threads along.
 */
const RELAY = `
const socket = require('node:net').connect({ port: Number(process.argv[1]), host: '127.0.0.1' });
socket.on('connect', () => process.stderr.write('${CONNECTED}'));
socket.on('error', (error) => { process.stderr.write(error.message); process.exitCode = 1; });
socket.on('close', () => process.exit());
process.stdin.pipe(socket).pipe(process.stdout);
`;

/**
 * A byte stream to 127.0.0.1:port in a network namespace, once it is connected; an error later destroys it. Rejects when
 * nothing listens there.
 */
export async function connectInside(network: string, port: number): Promise<Duplex> {
  const args = [`--net=${network}`, 'setpriv', '--pdeathsig', 'KILL'];
  const child = spawn('nsenter', [...args, process.execPath, '-e', RELAY, String(port)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: LAUNCH_ENVIRONMENT,
    cwd: '/',
  });
  let message = '';
  const connected = Promise.withResolvers<void>();
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    message += text;
    if (message.startsWith(CONNECTED)) connected.resolve();
  });
  const ends = { readable: child.stdout, writable: child.stdin };
  // The types lack this documented form of Duplex.from.
  const stream = Duplex.from(ends as unknown as Iterable<never>);
  child.on('close', (code) => {
    const error = new Error(message.replace(CONNECTED, '') || `port ${port}: connection lost`);
    if (code !== 0) stream.destroy(error);
    connected.reject(error);
  });
  stream.on('error', connected.reject);
  stream.on('close', () => child.kill());
  await connected.promise;
  return stream;
}
