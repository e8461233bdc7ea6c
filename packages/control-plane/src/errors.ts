/** Refusals that callers see: gRPC status and text, listed once. */
import { status } from '@grpc/grpc-js';

interface RefusalRule {
  readonly status: number;
  /** What to check first, for the log line. */
  readonly hint: string;
}

/** Codes of the control plane. */
export type RefusalCode =
  | 'CP_NOT_READY'
  | 'CP_UNAUTHENTICATED'
  | 'CP_NOT_IDENTICAL'
  | 'CP_BAD_NODE'
  | 'CP_BAD_CSR'
  | 'CP_BAD_REQUEST'
  | 'CP_EXHAUSTED'
  | 'CP_IMPERSONATION'
  | 'CP_INTERNAL';

const REFUSALS: Readonly<Record<RefusalCode, RefusalRule>> = {
  CP_NOT_READY: {
    status: status.UNAVAILABLE,
    hint: 'the first listing of the Kubernetes API is not complete; see readiness and the log of watch failures',
  },
  CP_UNAUTHENTICATED: {
    status: status.UNAUTHENTICATED,
    hint: 'the token is missing, expired, of a deleted pod, or not for the audience istio-ca',
  },
  CP_NOT_IDENTICAL: {
    status: status.PERMISSION_DENIED,
    hint: 'namespace, service account and node of a proxy must be those of its token',
  },
  CP_BAD_NODE: {
    status: status.INVALID_ARGUMENT,
    hint: 'the first request of a stream must carry node.id as type~ip~pod.namespace~domain',
  },
  CP_BAD_CSR: {
    status: status.INVALID_ARGUMENT,
    hint: 'the signing request must be PEM PKCS #10 with a valid self-signature, its lifetime below the maximum',
  },
  CP_BAD_REQUEST: {
    status: status.INVALID_ARGUMENT,
    hint: 'a debug request names one page, and of pages about a proxy one that is connected here',
  },
  CP_EXHAUSTED: {
    status: status.RESOURCE_EXHAUSTED,
    hint: 'a stream that asks for too many names, or never reads what it is sent, would take all memory',
  },
  CP_IMPERSONATION: {
    status: status.UNAUTHENTICATED,
    hint: 'only accounts in CA_TRUSTED_NODE_ACCOUNTS may ask, and only for pods of their own node',
  },
  CP_INTERNAL: { status: status.INTERNAL, hint: 'a defect; the log has the cause' },
};

/** Ends a call with the status that belongs to the code; `message` is what the caller reads. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly refusal: RefusalCode;

  constructor(refusal: RefusalCode, message: string) {
    super(message);
    this.refusal = refusal;
  }

  /** As grpc-js wants a failed call: `code` and `details`. */
  toServiceError(): { readonly code: number; readonly details: string } {
    return { code: REFUSALS[this.refusal].status, details: this.message };
  }
}

/** Any caught value as a refusal; what is none becomes CP_INTERNAL without details for the caller. */
export function toRefusal(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal('CP_INTERNAL', 'internal error');
}
