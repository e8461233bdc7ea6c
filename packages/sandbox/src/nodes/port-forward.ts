import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { LAUNCH_ENVIRONMENT } from './container-launch.ts';

/**
 * Joins its stdin and stdout to a port: it runs inside the pod's network namespace, which this process cannot enter
 * itself without taking its other threads along.
 */
const RELAY = `
const socket = require('node:net').connect({ port: Number(process.argv[1]), host: '127.0.0.1' });
socket.on('error', (error) => { process.stderr.write(error.message); process.exitCode = 1; });
socket.on('close', () => process.exit());
process.stdin.pipe(socket).pipe(process.stdout);
`;

/** A byte stream to 127.0.0.1:port in a network namespace. Errors, such as a refused connection, destroy it. */
export function connectInside(network: string, port: number): Duplex {
  const args = [`--net=${network}`, 'setpriv', '--pdeathsig', 'KILL'];
  const child = spawn('nsenter', [...args, process.execPath, '-e', RELAY, String(port)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: LAUNCH_ENVIRONMENT,
    cwd: '/',
  });
  const ends = { readable: child.stdout, writable: child.stdin };
  // The types lack this documented form of Duplex.from.
  const stream = Duplex.from(ends as unknown as Iterable<never>);
  let message = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    message += text;
  });
  child.on('exit', (code) => {
    if (code !== 0) stream.destroy(new Error(message || `port ${port}: connection lost`));
  });
  stream.on('close', () => child.kill());
  return stream;
}
