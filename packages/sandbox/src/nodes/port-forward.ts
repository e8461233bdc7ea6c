import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { LAUNCH_ENVIRONMENT } from './container-launch.ts';

/** A helper that nobody has asked for so long ends. */
const IDLE_MS = 30_000;

/**
 * Connects sockets inside a pod's network namespace, which this process cannot enter itself without taking its other
 * threads along, and hands them over: what they carry does not pass through it.
 */
const CONNECTOR = `
const { connect } = require('node:net');
process.on('message', ({ id, port }) => {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.pause();
  socket.once('connect', () => process.send({ id }, socket));
  socket.once('error', ({ message }) => process.send({ id, error: message }));
});
process.on('disconnect', () => process.exit());
`;

interface Answer {
  readonly id: number;
  readonly error?: string;
}

/** The helper of one network namespace. */
class Connector {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<Socket>>();
  #asked = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(network: string, onEnd: () => void) {
    const args = [`--net=${network}`, 'setpriv', '--pdeathsig', 'KILL'];
    this.#child = spawn('nsenter', [...args, process.execPath, '-e', CONNECTOR], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: LAUNCH_ENVIRONMENT,
      cwd: '/',
    });
    this.#child.on('message', (answer, handle) =>
      this.#onAnswer(answer as Answer, handle as Socket),
    );
    const end = (error: Error): void => {
      clearTimeout(this.#idle);
      onEnd();
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    this.#child.on('error', end);
    this.#child.on('exit', () => end(new Error('the network of the pod is gone')));
  }

  connect(port: number): Promise<Socket> {
    const waiting = Promise.withResolvers<Socket>();
    const id = this.#asked++;
    this.#waiting.set(id, waiting);
    clearTimeout(this.#idle);
    this.#child.send({ id, port }, (error) => {
      if (error !== null) this.#onAnswer({ id, error: error.message }, undefined);
    });
    return waiting.promise;
  }

  #onAnswer({ id, error }: Answer, socket: Socket | undefined): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#restLater();
    if (socket === undefined) {
      waiting?.reject(new Error(error ?? 'the connection was lost on its way'));
      return;
    }
    socket.allowHalfOpen = true;
    if (waiting === undefined) socket.destroy();
    else waiting.resolve(socket);
  }

  #restLater(): void {
    this.#idle = setTimeout(() => this.#child.disconnect(), IDLE_MS);
    this.#idle.unref();
  }
}

/** By network namespace. */
const connectors = new Map<string, Connector>();

/** A connection to 127.0.0.1:port in a network namespace. Rejects when nothing listens there. */
export function connectInside(network: string, port: number): Promise<Socket> {
  const known = connectors.get(network);
  if (known !== undefined) return known.connect(port);
  const made: Connector = new Connector(network, () => {
    if (connectors.get(network) === made) connectors.delete(network);
  });
  connectors.set(network, made);
  return made.connect(port);
}
