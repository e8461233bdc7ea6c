import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { checkServerIdentity, connect, getCACertificates, type PeerCertificate } from 'node:tls';
import { uriNames } from '@aquifer/hbone';
import type { UpstreamTls } from '../compile/upstream-tls.ts';

/** Begins TLS on a stream. Rejects if the endpoint is not who it should be; files are read for every connection, as they may change. */
export function beginTls(stream: Duplex, tls: UpstreamTls): Promise<Duplex> {
  const { serverName, alpn, certificate, roots } = tls;
  return new Promise((resolve, reject) => {
    const secured = connect({
      socket: stream,
      ...(serverName !== null && { servername: serverName }),
      ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
      ...(certificate !== null && {
        cert: readFileSync(certificate.chainPath),
        key: readFileSync(certificate.keyPath),
      }),
      ...(roots.kind === 'file' && { ca: readFileSync(roots.path) }),
      ...(roots.kind === 'given' && { ca: roots.pem }),
      ...(roots.kind === 'system' && { ca: systemRoots() }),
      rejectUnauthorized: roots.kind !== 'anyone',
      checkServerIdentity: (_host: string, peer: PeerCertificate) => nameProblem(tls, peer),
    });
    secured.once('error', reject);
    secured.once('secureConnect', () => {
      secured.off('error', reject);
      resolve(secured);
    });
  });
}

/** Where a system has none, those that Node brings. */
function systemRoots(): string[] {
  const system = getCACertificates('system');
  return system.length > 0 ? system : getCACertificates('bundled');
}

function nameProblem({ names, serverName }: UpstreamTls, peer: PeerCertificate): Error | undefined {
  if (names === 'any') return undefined;
  if (names === 'server-name') return checkServerIdentity(serverName ?? '', peer);
  const certificate = new X509Certificate(peer.raw);
  const uris = uriNames(certificate);
  if (names.some((name) => uris.includes(name) || isHost(certificate, name))) return undefined;
  return new Error(`the certificate is for none of ${names.join(', ')}`);
}

/** As Envoy: a wildcard of the certificate stands for one label, and its subject says nothing. */
function isHost(certificate: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  return certificate.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined;
}
