import { X509Certificate } from 'node:crypto';
import { grpcMethods } from '@aquifer/wire';
import type { IstioCertificateResponse } from '@aquifer/wire/gen/istio/ca_pb';
import {
  IstioCertificateRequestSchema,
  IstioCertificateService,
} from '@aquifer/wire/gen/istio/ca_pb';
import { create } from '@bufbuild/protobuf';
import { Client } from '@grpc/grpc-js';
import {
  type ControlPlaneEndpoint,
  callMetadata,
  channelCredentials,
  channelOptions,
} from './credentials.ts';
import { createSigningRequest } from './csr.ts';
import { assertUsable, type IssuedCertificate } from './issued-certificate.ts';

export interface CsrClientOptions {
  readonly endpoint: ControlPlaneEndpoint;
  /** Requested lifetime in seconds. */
  readonly ttlSeconds: number;
  /** True for a node proxy, which asks on behalf of the pods of its node. */
  readonly impersonate: boolean;
}

const METHOD = grpcMethods(IstioCertificateService).createCertificate;
const CALL_TIMEOUT_MS = 10_000;

/** Asks the certificate authority to sign (spec ztunnel 6.2). The private key never leaves this process. */
export class CsrClient {
  readonly #options: CsrClientOptions;
  #client: Client | null = null;

  constructor(options: CsrClientOptions) {
    this.#options = options;
  }

  /** Throws if the authority refuses, is away, or answers with something unusable. */
  async sign(spiffeUri: string): Promise<IssuedCertificate> {
    const { csr, key } = await createSigningRequest(spiffeUri);
    const response = await this.#call(csr, spiffeUri);
    const certificates = response.certChain;
    if (certificates.length === 0) {
      throw new Error(`chain returned from CA is empty for: ${spiffeUri}`);
    }
    if (certificates.length === 1) {
      throw new Error('invalid root certificate: no root certificate present');
    }
    const leaf = new X509Certificate(certificates[0]!);
    if (!leaf.subjectAltName?.split(', ').includes(`URI:${spiffeUri}`)) {
      throw new Error(`did not find expected SAN: ${spiffeUri}`);
    }
    const issued = {
      key,
      chain: certificates.slice(0, -1).join('\n'),
      roots: certificates.at(-1)!,
      notBeforeMs: leaf.validFromDate.getTime(),
      notAfterMs: leaf.validToDate.getTime(),
    };
    assertUsable(issued);
    return issued;
  }

  close(): void {
    this.#client?.close();
  }

  #call(csr: string, spiffeUri: string): Promise<IstioCertificateResponse> {
    const { endpoint, ttlSeconds, impersonate } = this.#options;
    this.#client ??= new Client(
      endpoint.address,
      channelCredentials(endpoint),
      channelOptions(endpoint),
    );
    const request = create(IstioCertificateRequestSchema, {
      csr,
      validityDuration: BigInt(ttlSeconds),
      ...(impersonate && { metadata: { ImpersonatedIdentity: spiffeUri } }),
    });
    const metadata = callMetadata(endpoint);
    return new Promise((resolve, reject) => {
      this.#client!.makeUnaryRequest(
        METHOD.path,
        METHOD.requestSerialize,
        METHOD.responseDeserialize,
        request,
        metadata,
        { deadline: Date.now() + CALL_TIMEOUT_MS },
        (error, response) => {
          if (error !== null) {
            // The next call reads the root file again: the authority may have been replaced.
            this.#client?.close();
            this.#client = null;
            reject(error);
          } else if (response === undefined) reject(new Error('empty answer from the CA'));
          else resolve(response);
        },
      );
    });
  }
}
