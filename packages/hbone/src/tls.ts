import { createSecureContext, type SecureContext } from 'node:tls';

/** A workload's key and certificates, PEM. `chain` is the leaf and its intermediates, `roots` what peers must chain to. */
export interface WorkloadCertificate {
  readonly key: string;
  readonly chain: string;
  readonly roots: string;
}

/** TLS 1.3 with AES-GCM only; X25519MLKEM768 preferred; no tickets (spec ztunnel 2.1). */
export const TLS_OPTIONS = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256',
  ecdhCurve: 'X25519MLKEM768:X25519:P-256:P-384',
} as const;

/** ALPN of every tunnel. */
export const HBONE_ALPN: readonly string[] = ['h2'];

/** Made once per certificate: building a context costs more than a handshake with it. */
export function hboneSecureContext(certificate: WorkloadCertificate): SecureContext {
  return createSecureContext({
    ...TLS_OPTIONS,
    key: certificate.key,
    cert: certificate.chain,
    ca: certificate.roots,
  });
}
