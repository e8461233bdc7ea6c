import { X509Certificate } from 'node:crypto';
import type { CertificateState } from '@aquifer/control-plane-client';
import type { DumpedCertificate, DumpedIdentity } from '@aquifer/wire';

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Certificates as the config dump shows them: never a key. */
export function describeCertificates(
  states: ReadonlyMap<string, CertificateState>,
): DumpedIdentity[] {
  return [...states]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([identity, state]) => ({
      identity,
      state: describeState(state),
      certChain: state.kind === 'available' ? describePem(state.certificate.chain) : [],
      rootCerts: state.kind === 'available' ? describePem(state.certificate.roots) : [],
    }));
}

function describeState(state: CertificateState): string {
  switch (state.kind) {
    case 'initializing':
      return 'Initializing';
    case 'available':
      return 'Available';
    case 'unavailable':
      return `Unavailable: ${state.error}`;
  }
}

function describePem(pem: string): DumpedCertificate[] {
  return (pem.match(PEM_BLOCK) ?? []).map((block) => {
    const certificate = new X509Certificate(block);
    return {
      pem: Buffer.from(`${block}\n`).toString('base64'),
      serialNumber: BigInt(`0x${certificate.serialNumber}`).toString(),
      validFrom: withSeconds(certificate.validFromDate),
      expirationTime: withSeconds(certificate.validToDate),
    };
  });
}

function withSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}
