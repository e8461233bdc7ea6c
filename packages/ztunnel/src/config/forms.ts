/** How threads are asked for: so many, or a share of the processors; 0 is all of them. */
export type ThreadWish =
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'percent'; readonly percent: number };

/** `4`, `0` or `50%` (spec ztunnel 1.2). Throws, saying what is accepted. */
export function parseThreadWish(text: string): ThreadWish {
  const [, number = '', percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? [];
  const value = Number(number);
  if (percent === '%' && value > 0 && value <= 100) return { kind: 'percent', percent: value };
  if (percent === '' && number !== '' && Number.isInteger(value) && value <= 256) {
    return { kind: 'count', count: value };
  }
  throw new Error(`expected a whole number up to 256, or a share such as 50%, not ${quoted(text)}`);
}

/** A Kubernetes quantity of CPU, such as `500m` or `1.5`, as processors. */
export function parseCpuQuantity(text: string): number {
  const [, number, milli] = /^(\d+(?:\.\d+)?)(m?)$/.exec(text) ?? [];
  const cpus = Number(number) / (milli === 'm' ? 1000 : 1);
  if (!(cpus > 0)) throw new Error(`expected a quantity such as 500m or 2, not ${quoted(text)}`);
  return cpus;
}

/** Where a server of the control plane is. */
export interface ServerAddress {
  /** `host:port`. */
  readonly address: string;
  readonly isPlaintext: boolean;
}

/** `host:port`, with `https://` or without; `http://` speaks plaintext. */
export function parseServerAddress(text: string): ServerAddress {
  const [, scheme = 'https://', address] = /^(https?:\/\/)?([^/\s]+:\d{1,5})\/?$/.exec(text) ?? [];
  if (address === undefined || Number(address.slice(address.lastIndexOf(':') + 1)) > 65_535) {
    throw new Error(`expected host:port, not ${quoted(text)}`);
  }
  return { address, isPlaintext: scheme === 'http://' };
}

/** The pod that a dedicated proxy serves. */
export interface DedicatedWorkload {
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
}

/** `namespace/name/serviceaccount`. */
export function parseWorkloadInfo(text: string): DedicatedWorkload {
  const [, namespace, name, serviceAccount] = /^([^/]+)\/([^/]+)\/(.+)$/.exec(text) ?? [];
  if (namespace === undefined || name === undefined || serviceAccount === undefined) {
    throw new Error(`expected namespace/name/serviceaccount, not ${quoted(text)}`);
  }
  return { namespace, name, serviceAccount };
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
