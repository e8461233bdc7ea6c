import { closeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Backoff } from '@aquifer/control-plane-client';
import { NetworkNamespace } from '../capture/netns.ts';
import { type Packet, SeqpacketSocket } from '../capture/seqpacket.ts';
import { decodeRequest, encodeAck, encodeHello, type ZdsRequest } from './zds-messages.ts';
import { ZdsOrderError, ZdsPods, type ZdsPodsOptions } from './zds-pods.ts';

/** Spec ztunnel 7.1. */
const BACKOFF = { initialMs: 20, maxMs: 15_000 };
const RETRY_PENDING_MS = 5000;

export interface ZdsClientOptions extends ZdsPodsOptions {
  /** The node agent's socket. */
  readonly path: string;
  /** Called with every change of whether all pods of the node are served. */
  readonly onSettled: (isSettled: boolean) => void;
}

/**
 * Follows the node agent (istio-cni) over its socket: which pods to serve, each with its network namespace. The agent
 * writes their rules itself. Pods that run go on while the agent is away.
 */
export class ZdsClient {
  readonly pods: ZdsPods;
  readonly #options: ZdsClientOptions;
  readonly #backoff = new Backoff(BACKOFF);
  readonly #abort = new AbortController();
  #socket: SeqpacketSocket | null = null;
  #retrying: NodeJS.Timeout | null = null;
  /** What is being done with pods: one thing after the other. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: ZdsClientOptions) {
    this.#options = options;
    this.pods = new ZdsPods(options);
  }

  /** Runs until `stop`; never throws. */
  async run(): Promise<void> {
    const { signal } = this.#abort;
    this.#retrying = setInterval(() => {
      if (!this.pods.isSettled) void this.#inTurn(() => this.pods.retry());
    }, RETRY_PENDING_MS).unref();
    while (!signal.aborted) {
      await this.#connectOnce();
      this.#options.onSettled(false);
      if (!signal.aborted) {
        await delay(this.#backoff.next(), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Leaves the pods as they are. */
  stop(): void {
    this.#abort.abort();
    if (this.#retrying !== null) clearInterval(this.#retrying);
    this.#socket?.shutdown();
  }

  async #connectOnce(): Promise<void> {
    const { path, log } = this.#options;
    let socket: SeqpacketSocket;
    try {
      socket = SeqpacketSocket.connect(path);
    } catch (error) {
      const text = `failed to connect to the Istio CNI node agent over ${JSON.stringify(path)}`;
      log.warn(text, { error: (error as Error).message });
      return;
    }
    this.#socket = socket;
    try {
      socket.send(encodeHello());
      await this.#inTurn(() => this.pods.beginSnapshot());
      await this.#serve(socket);
    } catch (error) {
      log.warn('the connection to the node agent ended', { error: (error as Error).message });
    } finally {
      this.#socket = null;
      socket.close();
    }
  }

  async #serve(socket: SeqpacketSocket): Promise<void> {
    for (let packet = await socket.receive(); packet !== null; packet = await socket.receive()) {
      const request = decodeOrRefuse(socket, packet);
      await this.#inTurn(async () => {
        socket.send(encodeAck(await this.#carryOut(socket, request)));
        this.#options.onSettled(this.pods.isSettled);
      });
    }
    if (!this.#abort.signal.aborted) throw new Error('the node agent closed it');
  }

  /** The error for the acknowledgement, empty if there is none. Throws if the connection has to be begun anew. */
  async #carryOut(socket: SeqpacketSocket, request: ZdsRequest): Promise<string> {
    try {
      await this.#apply(request);
      return '';
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof ZdsOrderError) {
        socket.send(encodeAck(`failure to process message : ${message}`));
        throw error;
      }
      return `failure to start proxy : ${message}`;
    }
  }

  async #apply(request: ZdsRequest): Promise<void> {
    switch (request.kind) {
      case 'add': {
        const namespace = NetworkNamespace.adopt(request.fd);
        if (request.info === null) {
          namespace.close();
          throw new ZdsOrderError('a pod was added without its description');
        }
        return this.pods.add(request.uid, request.info, namespace);
      }
      case 'keep':
        return this.pods.keep(request.uid);
      case 'del':
        return this.pods.del(request.uid);
      case 'snapshot-sent':
        await this.pods.snapshotSent();
        this.#backoff.reset();
    }
  }

  #inTurn(step: () => void | Promise<void>): Promise<void> {
    const done = this.#last.then(step);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

function decodeOrRefuse(socket: SeqpacketSocket, { bytes, fds }: Packet): ZdsRequest {
  try {
    return decodeRequest(bytes, fds);
  } catch (error) {
    for (const fd of fds) closeSync(fd);
    socket.send(encodeAck(`failure to read message : ${(error as Error).message}`));
    throw error;
  }
}
