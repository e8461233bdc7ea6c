import { createLogger } from '@aquifer/runtime';
import { grpcMethods } from '@aquifer/wire';
import { AggregatedDiscoveryService } from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { type GrpcDeps, listenGrpc } from './grpc-server.ts';

const METHOD = grpcMethods(AggregatedDiscoveryService).deltaAggregatedResources;

test('a stream on a connection that is too old ends, so that the proxy reconnects', async () => {
  // Streams are held open; nothing else is called.
  const deps = {
    discovery: { serveDelta: () => undefined },
    log: createLogger('test', { format: 'plain', write: () => undefined }),
  } as unknown as GrpcDeps;
  const age = { maxMs: 100, graceMs: 100 };
  const server = await listenGrpc('127.0.0.1:0', null, deps, age);
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
  onTestFinished(async () => {
    client.close();
    await server.stop(0);
  });
  const stream = client.makeBidiStreamRequest(
    METHOD.path,
    METHOD.requestSerialize,
    METHOD.responseDeserialize,
    new Metadata(),
  );
  stream.on('error', () => undefined);
  const ended = new Promise((resolve) => stream.on('status', ({ code }) => resolve(code)));
  expect(await ended).toBe(status.UNAVAILABLE);
});
