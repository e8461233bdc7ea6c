import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { HttpError } from '../http-error.ts';
import { Http1ClientConnection } from './client-connection.ts';

async function portOf(server: Server | HttpServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface Answer {
  status: number;
  body: string;
  failure: HttpError | null;
}

function send(connection: Http1ClientConnection, target: string, body = ''): Promise<Answer> {
  return new Promise((resolve) => {
    const answer: Answer = { status: 0, body: '', failure: null };
    const head = { method: 'POST', scheme: null, authority: 'upstream', path: target, headers: [] };
    const exchange = connection.request(head, body.length, {
      isUpgrade: false,
      listener: {
        onHead: ({ status }) => {
          answer.status = status;
          exchange.receive({
            onData: (chunk) => {
              answer.body += chunk.toString();
            },
            onEnd: () => resolve(answer),
            onDrain: () => undefined,
            onClose: (failure) => resolve({ ...answer, failure }),
          });
        },
        onFailure: (failure) => resolve({ ...answer, failure }),
      },
    });
    if (body !== '') exchange.write(Buffer.from(body));
    exchange.end();
  });
}

async function dial(port: number): Promise<Http1ClientConnection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  await once(socket, 'connect');
  const connection = new Http1ClientConnection(socket);
  onTestFinished(() => {
    connection.abort();
  });
  return connection;
}

describe('a client connection', () => {
  test('whose answer was paused at its very end brings the next answer too', async () => {
    const server = createHttpServer((_request, response) => response.end('whole'));
    const connection = await dial(await portOf(server));
    const ask = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const listener = {
          onHead: () => {
            exchange.receive({
              // As for a client that has no room for the last piece, and has soon.
              onData: () => {
                exchange.pause();
                setImmediate(() => exchange.resume());
              },
              onEnd: resolve,
              onDrain: () => undefined,
              onClose: () => undefined,
            });
          },
          onFailure: reject,
        };
        const head = { method: 'GET', scheme: null, authority: 'a', path: '/', headers: [] };
        const exchange = connection.request(head, 0, { listener, isUpgrade: false });
        exchange.end();
      });
    for (let n = 1; n <= 3; n++) {
      await ask();
      expect(connection.completed).toBe(n);
    }
  });

  test('talks to a Node server and is used again', async () => {
    const server = createHttpServer((request, response) => {
      void text(request).then((body) => {
        // Without a length Node answers chunked.
        response.write(`${request.url} `);
        response.end(body);
      });
    });
    const connection = await dial(await portOf(server));
    expect(await send(connection, '/1', 'abc')).toEqual({
      status: 200,
      body: '/1 abc',
      failure: null,
    });
    expect(connection.isUsable).toBe(true);
    expect(await send(connection, '/2')).toEqual({ status: 200, body: '/2 ', failure: null });
    expect(connection.completed).toBe(2);
  });

  test('is not used again after an answer that says close', async () => {
    const server = createHttpServer((_request, response) => {
      response.writeHead(200, { connection: 'close' });
      response.end('bye');
    });
    const connection = await dial(await portOf(server));
    expect((await send(connection, '/')).body).toBe('bye');
    expect(connection.isUsable).toBe(false);
  });

  test('reports an upstream that closes or resets instead of answering', async () => {
    const closing = await dial(
      await portOf(createServer((socket) => socket.once('data', () => socket.end()))),
    );
    expect((await send(closing, '/')).failure?.kind).toBe('lost');
    const resetting = await dial(
      await portOf(createServer((socket) => socket.once('data', () => socket.resetAndDestroy()))),
    );
    expect((await send(resetting, '/')).failure?.kind).toBe('reset');
  });

  test('is not used again after an answer with bytes behind it', async () => {
    const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokextra';
    const talkative = createServer((socket) => socket.once('data', () => socket.write(answer)));
    const connection = await dial(await portOf(talkative));
    expect((await send(connection, '/')).body).toBe('ok');
    expect(connection.isUsable).toBe(false);
  });

  test('whose request had less body than it said is cut, so that no other request becomes its rest', async () => {
    const requests: Promise<string>[] = [];
    const server = createServer((socket) => {
      requests.push(text(socket).catch(() => 'cut'));
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    });
    const connection = await dial(await portOf(server));
    const answered = Promise.withResolvers<HttpError | null>();
    const head = { method: 'PUT', scheme: null, authority: 'a', path: '/', headers: [] };
    const exchange = connection.request(head, 9, {
      isUpgrade: false,
      listener: {
        onHead: () => {
          exchange.receive({
            onData: () => undefined,
            onEnd: () => answered.resolve(null),
            onDrain: () => undefined,
            onClose: answered.resolve,
          });
        },
        onFailure: answered.resolve,
      },
    });
    exchange.write(Buffer.from('short'));
    exchange.flush();
    exchange.end();
    expect(connection.isUsable).toBe(false);
    await answered.promise;
    expect(connection.isUsable).toBe(false);
    expect(await requests[0]).not.toContain('GET');
  });

  test('reports an answer that is no HTTP', async () => {
    const nonsense = createServer((socket) =>
      socket.once('data', () => socket.write('SSH-2.0-x\r\n\r\n')),
    );
    const connection = await dial(await portOf(nonsense));
    expect((await send(connection, '/')).failure?.kind).toBe('violation');
  });
});
