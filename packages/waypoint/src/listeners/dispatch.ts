import type { Duplex } from 'node:stream';
import type { ChainChoice } from '../compile/chain.ts';
import { serveHttp } from '../request/connection.ts';
import type { ConnectionInfo, EngineDeps, OpenConnection } from '../request/engine.ts';
import { serveTcp } from './byte-chain.ts';
import {
  classify,
  classifyDeclared,
  DECLARED,
  type Sniffed,
  sniffProtocol,
  UNDECLARED,
} from './sniff.ts';

/**
 * Declared ports have one chain; undeclared ones are decided by the first bytes. What has changed while a client was
 * silent holds for what it then says.
 */
export async function dispatch(
  stream: Duplex,
  choice: ChainChoice,
  info: ConnectionInfo,
  deps: EngineDeps,
): Promise<void> {
  const heard = choice.http?.kind === 'http' ? await listen(stream, choice, info, deps) : UNHEARD;
  if (heard === null) {
    if (stream.readableEnded) stream.end();
    else stream.destroy();
    return;
  }
  // It has been let go while it was silent: nobody reads what it says now.
  if (!stream.writable) {
    stream.destroy();
    return;
  }
  const { http, tcp } = deps.config.chosenNow(info.listener, info.destination) ?? choice;
  if (heard.protocol !== 'tcp' && http?.kind === 'http') {
    serveHttp(stream, heard.protocol, { chain: http, info, deps });
  } else if (tcp?.kind === 'tcp') {
    await serveTcp({ stream, chain: tcp, info, early: heard.early }, deps);
  } else stream.destroy();
}

const UNHEARD: Sniffed = { protocol: 'tcp', early: null };

/** Null for a client that ended at a port of HTTP before it had said what it speaks, or took too long. */
async function listen(
  stream: Duplex,
  { http, tcp }: ChainChoice,
  info: ConnectionInfo,
  { config, connections }: EngineDeps,
): Promise<Sniffed | null> {
  const isDeclared = http === tcp;
  const close = (): void => void stream.end();
  const silent: OpenConnection = {
    isBusy: false,
    judgeAgain: () => {
      if (!config.isServed(info.listener, info.destination)) close();
    },
    drain: () => undefined,
    closeIfIdle: close,
    endUpgrades: () => undefined,
  };
  connections.add(silent);
  try {
    const tell = isDeclared ? classifyDeclared : classify;
    const heard = await sniffProtocol(stream, tell, isDeclared ? DECLARED : UNDECLARED);
    return isDeclared && heard.protocol === 'tcp' ? null : heard;
  } finally {
    connections.delete(silent);
  }
}
