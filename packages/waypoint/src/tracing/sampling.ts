// hot path: every request that may be traced
/** Whether a request is traced, as Envoy decides it (Envoy docs "Tracing", "Trace sampling"; `x-request-id`). */
import { getHeader, type HeaderList, setHeader } from '@aquifer/http';

/** Shares in percent. */
export interface Sampling {
  /** Of requests with `x-client-trace-id`. */
  readonly client: number;
  /** Of all others. */
  readonly random: number;
  /** Of what is traced by the two above. */
  readonly overall: number;
  /** `tracer`: the one before decides, and without one everything is traced. */
  readonly by: 'request-id' | 'tracer';
}

/** Where the id of a request says why it is traced: a digit of the version of the UUID. */
const REASON_AT = 14;
const UUID_LENGTH = 36;
const SAMPLED = '9';
const BY_CLIENT = 'b';
const TRACED: readonly string[] = [SAMPLED, 'a', BY_CLIENT];

/** Says it in the id of the request too, so that whoever is asked next decides alike. */
export function isTraced(headers: HeaderList, sampling: Sampling): boolean {
  if (sampling.by === 'tracer') return true;
  const id = getHeader(headers, 'x-request-id') ?? '';
  const number = Number.parseInt(id.slice(0, 8), 16);
  if (!/^[0-9a-f]{8}/i.test(id)) return false;
  const place = number % 10_000;
  let reason = id.length === UUID_LENGTH ? id[REASON_AT]! : '';
  if (!TRACED.includes(reason)) {
    const asked = getHeader(headers, 'x-client-trace-id') !== null;
    if (asked && Math.random() * 100 < sampling.client) reason = BY_CLIENT;
    else if (isWithin(place, sampling.random)) reason = SAMPLED;
    else return false;
    if (id.length === UUID_LENGTH) {
      const said = id.slice(0, REASON_AT) + reason + id.slice(REASON_AT + 1);
      setHeader(headers, 'x-request-id', said);
    }
  }
  return isWithin(place, sampling.overall);
}

/** Requests with one id are within or without wherever they pass. */
function isWithin(place: number, percent: number): boolean {
  return place < percent * 100;
}
