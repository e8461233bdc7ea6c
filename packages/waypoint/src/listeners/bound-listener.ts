import { X509Certificate } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { contextOptions, spiffeIdentities } from '@aquifer/hbone';
import { formatIdentity } from '@aquifer/model';
import type { DownstreamTls } from '../compile/downstream-tls.ts';

/** How soon a new certificate, key or root is seen. */
const FILES_POLL_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** A client, and the SPIFFE identity that it has proved; empty where it was not asked to. */
type Accepted = (socket: Socket, principal: string) => void;

/**
 * The socket of a listener that has an address of its own. Who fails the handshake is cut off. Files are read again when any
 * of them changes; connections that are open go on.
 */
export function boundListener(
  tls: DownstreamTls | null,
  onAccepted: Accepted,
  filesPollMs: number = FILES_POLL_MS,
): Server {
  if (tls === null) {
    return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => onAccepted(socket, ''));
  }
  const server = createTlsServer({
    ...contextOf(tls),
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    allowHalfOpen: true,
    noDelay: true,
  });
  server.on('secureConnection', (socket) => {
    const principal = principalOf(socket);
    if (principal === null) socket.destroy();
    else onAccepted(socket, principal);
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const renew = (): void => {
    try {
      server.setSecureContext(contextOf(tls));
    } catch {
      // They do not belong together yet, or are not whole: the old ones serve until one of the files changes again.
    }
  };
  const files = new Set([tls.chainPath, tls.keyPath, tls.rootsPath]);
  for (const file of files) watchFile(file, { interval: filesPollMs, persistent: false }, renew);
  server.on('close', () => {
    for (const file of files) unwatchFile(file, renew);
  });
  return server;
}

/** Throws for files that are no certificate, key and roots. */
function contextOf({ chainPath, keyPath, rootsPath }: DownstreamTls) {
  const read = (path: string): string => readFileSync(path, 'utf8');
  const roots = read(rootsPath);
  // Node takes anything for a list of roots, and the public ones for an empty list.
  new X509Certificate(roots);
  return contextOptions({ chain: read(chainPath), key: read(keyPath), roots });
}

function principalOf(socket: TLSSocket): string | null {
  const certificate = socket.getPeerX509Certificate();
  const [identity] = certificate === undefined ? [] : spiffeIdentities(certificate);
  return identity === undefined ? null : formatIdentity(identity);
}
