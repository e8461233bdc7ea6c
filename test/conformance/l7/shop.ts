import {
  type Client,
  type DerivedWaypoint,
  serveDerived,
  serviceOf,
} from '../../fixtures/derived-waypoint.ts';
import { type EchoOrigin, startOrigin } from '../../fixtures/echo-origin.ts';
import { type Answer, type Asked, ask, askHttp2 } from '../../fixtures/http-asking.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';

export type ServiceName = 'cart' | 'v1' | 'v2' | 'v3';

/** Addresses of the Services; the pods behind them are at 127.0.0.71 and so on. */
export const VIPS: Readonly<Record<ServiceName, string>> = {
  cart: '10.96.0.10',
  v1: '10.96.0.11',
  v2: '10.96.0.12',
  v3: '10.96.0.13',
};

interface ShopAsked extends Asked {
  /** Default: `cart`. */
  readonly to?: ServiceName;
  /** Of the Service. Default: 80. */
  readonly port?: number;
  readonly client?: Client;
  /** Default: HTTP/1.1. */
  readonly over?: 'HTTP/1.1' | 'HTTP/2';
}

/** Services behind one waypoint, each with an origin of its own. */
export interface Shop {
  readonly waypoint: DerivedWaypoint;
  readonly origins: Readonly<Record<ServiceName, EchoOrigin>>;
  ask(path: string, asked?: ShopAsked): Promise<Answer>;
  /** The name of the origin that answers, else the status. */
  answers(path: string, asked?: ShopAsked): Promise<string | number>;
}

/** With the objects beside the Services; ends with the test. */
export async function startShop(objects: readonly ApiObject[]): Promise<Shop> {
  const names = Object.keys(VIPS) as ServiceName[];
  const started = await Promise.all(
    names.map(async (name, i) => {
      const ip = `127.0.0.${71 + i}`;
      return [name, await startOrigin(name, { ip, headers: { 'x-of-origin': 'yes' } })] as const;
    }),
  );
  const services = started.flatMap(([name, origin]) => serviceOf(name, VIPS[name], origin));
  const waypoint = serveDerived([...services, ...objects]);
  const ports = new Map<string, Promise<number>>();
  const askShop: Shop['ask'] = async (path, asked = {}) => {
    const { to = 'cart', port = 80, client = {}, over = 'HTTP/1.1', ...rest } = asked;
    const key = JSON.stringify([to, port, client]);
    const at = ports.get(key) ?? waypoint.portTo({ ip: VIPS[to], port }, client);
    ports.set(key, at);
    return (over === 'HTTP/2' ? askHttp2 : ask)(await at, path, rest);
  };
  return {
    waypoint,
    origins: Object.fromEntries(started) as Record<ServiceName, EchoOrigin>,
    ask: askShop,
    answers: async (path, asked) => {
      const { seen, status } = await askShop(path, asked);
      return seen?.origin ?? status;
    },
  };
}

/** Where a rule leads. */
export function backend(name: string, fields: object = {}): { backendRefs: readonly object[] } {
  return { backendRefs: [{ name, port: 80, ...fields }] };
}
