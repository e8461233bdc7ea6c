/** What is said of an object at the door: an AdmissionReview (admission.k8s.io/v1) in, its answer out. */
import { analyze } from '../analysis/analyze.ts';
import type { AnalysisMessage, MessageCode } from '../analysis/message.ts';
import type { WrittenObject } from '../analysis/shape-messages.ts';

/** The parts of a review that are read. */
interface AdmissionRequest {
  readonly uid: string;
  readonly object?: WrittenObject | null;
}

interface AdmissionResponse {
  readonly uid: string;
  readonly allowed: boolean;
  readonly status?: { readonly code: number; readonly message: string };
  /** As `kubectl` prints them. */
  readonly warnings?: readonly string[];
}

/** Messages about an object by itself: what else there is may come later. */
const OWN: readonly MessageCode[] = [
  'IST0106',
  'IST0130',
  'IST0166',
  'AQF0101',
  'AQF0102',
  'AQF0103',
  'AQF0105',
  'AQF0106',
];

/** Null if the text is no review. */
export function answerReview(text: string): object | null {
  const request = requestIn(text);
  if (request === null) return null;
  const response = responseTo(request);
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response };
}

function requestIn(text: string): AdmissionRequest | null {
  try {
    const { request } = JSON.parse(text) as { readonly request?: Partial<AdmissionRequest> };
    return typeof request?.uid === 'string' ? (request as AdmissionRequest) : null;
  } catch {
    return null;
  }
}

function responseTo({ uid, object }: AdmissionRequest): AdmissionResponse {
  if (object?.metadata === undefined) return { uid, allowed: true };
  const messages = analyze([named(object)]).filter(({ code }) => OWN.includes(code));
  const errors = messages.filter(({ level }) => level === 'Error').map(textOf);
  const warnings = messages.filter(({ level }) => level !== 'Error').map(textOf);
  return {
    uid,
    allowed: errors.length === 0,
    ...(errors.length > 0 && { status: { code: 400, message: errors.join('; ') } }),
    ...(warnings.length > 0 && { warnings }),
  };
}

/** One that is to get a name from the API server has none yet. */
function named(object: WrittenObject): WrittenObject {
  const { name = 'unnamed', ...rest } = object.metadata as Partial<WrittenObject['metadata']>;
  return { ...object, metadata: { ...rest, name } };
}

function textOf({ code, message }: AnalysisMessage): string {
  return `[${code}] ${message}`;
}
