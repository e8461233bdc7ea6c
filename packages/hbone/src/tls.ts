import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';

/** A workload's key and certificates, PEM. `chain` is the leaf and its intermediates, `roots` what peers must chain to. */
export interface WorkloadCertificate {
  readonly key: string;
  readonly chain: string;
  readonly roots: string;
}

/** What the TLS of tunnels may agree on, in both roles. */
export interface TlsRules {
  /** `pqc`: X25519MLKEM768 and nothing else, so that a peer without it is refused. */
  readonly keyExchange: 'any' | 'pqc';
  /** TLS 1.2 beside 1.3. */
  readonly allowsTls12: boolean;
}

/** What holds unless somebody says otherwise: TLS 1.3, any key exchange. */
const DEFAULT_RULES: TlsRules = { keyExchange: 'any', allowsTls12: false };

const TLS13_CIPHERS = 'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256';
const TLS12_CIPHERS =
  'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256';
const GROUPS: Readonly<Record<TlsRules['keyExchange'], string>> = {
  any: 'X25519MLKEM768:X25519:P-256:P-384',
  // TLS 1.2 has no such group: a peer that knows nothing newer finds none.
  pqc: 'X25519MLKEM768',
};

/** AES-GCM only; X25519MLKEM768 preferred; no tickets, and who has shaken hands stays who it is (spec ztunnel 2.1). */
export function contextOptions(
  certificate: WorkloadCertificate,
  { keyExchange, allowsTls12 }: TlsRules = DEFAULT_RULES,
): SecureContextOptions {
  return {
    minVersion: allowsTls12 ? 'TLSv1.2' : 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: allowsTls12 ? `${TLS13_CIPHERS}:${TLS12_CIPHERS}` : TLS13_CIPHERS,
    ecdhCurve: GROUPS[keyExchange],
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    key: certificate.key,
    cert: certificate.chain,
    ca: certificate.roots,
  };
}

/** ALPN of every tunnel. */
export const HBONE_ALPN: readonly string[] = ['h2'];

/** What a client shakes hands with, and what its peers have to chain to (PEM). */
export interface HboneSecureContext {
  readonly tls: SecureContext;
  readonly roots: string;
}

/** Made once per certificate: building a context costs more than a handshake with it. */
export function hboneSecureContext(
  certificate: WorkloadCertificate,
  rules?: TlsRules,
): HboneSecureContext {
  const { roots } = certificate;
  return { tls: createSecureContext(contextOptions(certificate, rules)), roots };
}
