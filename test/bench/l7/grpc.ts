import { join } from 'node:path';
import { eventually } from '../../fixtures/eventually.ts';
import { writeConfig } from '../l4-pair.ts';
import { type LoadContext, measureHttp2Requests } from '../load.ts';
import { SERVER_ADDRESS } from '../machine.ts';
import {
  alternate,
  HTTP2_CONNECTIONS,
  type L7Bench,
  type L7Environment,
  type Quantities,
} from './bench.ts';
import { allowing, l7Bootstrap, ROUTED } from './bootstrap.ts';
import { contender, type Ports, type Surroundings, staticProxies, urlOf } from './proxies.ts';

const PORTS: Ports = { port: 9003, originPort: 8082 };
/** Of a service whose name is the path of a route and more. */
const METHOD = `${ROUTED}.Echo/Unary`;
const MESSAGE = 'hello';

const SURROUNDINGS: Surroundings = {
  startOrigins: async ({ machine, namespaces: { server: namespace } }) => {
    const script = join(import.meta.dirname, 'grpc-origin.ts');
    const command = [process.execPath, script, String(PORTS.originPort), METHOD];
    machine.start(command, { namespace });
  },
  check: async (environment, name) => {
    await eventually(async () => (await call(environment)) === MESSAGE, {
      what: `${name}: a gRPC call`,
    });
  },
};

/** Unary calls of gRPC, HTTP/2 on both sides. The origin is slower than the proxies, whose time is what counts. */
export const GRPC: L7Bench = {
  name: 'grpc',
  run: (run) => {
    const listener = { name: 'origin', ...PORTS, version: 2, policies: allowing('POST') } as const;
    const contenders = staticProxies(l7Bootstrap([listener])).map((kind) =>
      contender(kind, SURROUNDINGS),
    );
    return alternate(run, contenders, () => load);
  },
};

async function load(context: LoadContext, durationSeconds: number): Promise<Quantities> {
  const calls = {
    url: urlOf(PORTS.port, METHOD),
    connections: HTTP2_CONNECTIONS,
    durationSeconds,
    grpcMessagePath: writeConfig(context.machine, 'message.grpc', framed(MESSAGE)),
  };
  const { amount, seconds, cpu } = await measureHttp2Requests(context, calls);
  return { 'grpc cpu': (cpu[0]! / amount) * 1e6, 'grpc calls': amount / seconds };
}

/** Not compressed, then its length: the prefix of every message of gRPC over HTTP/2. */
function framed(message: string): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, Buffer.from(message)]);
}

function call({ machine, namespaces }: L7Environment): Promise<string> {
  const script = join(import.meta.dirname, 'grpc-call.ts');
  const address = `${SERVER_ADDRESS}:${PORTS.port}`;
  const command = [process.execPath, script, address, METHOD, MESSAGE];
  return machine.run(command, namespaces.client);
}
