import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { StuckTransport } from '../../../../test/fixtures/stuck-transport.ts';
import type { BodyListener, ServerExchange } from '../exchange.ts';
import type { HttpProblem } from '../problem.ts';
import { Http1ServerConnection } from './server-connection.ts';

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Answers every request with its method, target and body. */
function echo(exchange: ServerExchange): BodyListener {
  const chunks: Buffer[] = [];
  const answer = (): void => {
    const { method, path } = exchange.head;
    const body = Buffer.concat([Buffer.from(`${method} ${path} `), ...chunks]);
    const headers = ['content-length', String(body.length)];
    exchange.respond({ status: 200, headers }, body.length);
    exchange.write(body);
    exchange.end();
  };
  return {
    onData: (chunk) => chunks.push(Buffer.from(chunk)),
    onEnd: answer,
    onDrain: () => undefined,
    onClose: () => undefined,
  };
}

function receiving(listenerFor: (exchange: ServerExchange) => BodyListener) {
  return (exchange: ServerExchange): void => exchange.receive(listenerFor(exchange));
}

async function serveEcho(problems: HttpProblem[] = []): Promise<number> {
  return portOf(
    createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      new Http1ServerConnection(socket, {
        onRequest: receiving(echo),
        onProblem: (problem) => problems.push(problem),
        onClose: () => undefined,
      });
    }),
  );
}

const CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';

async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(bytes, 'latin1');
  return text(socket);
}

/** Serves one client; `served` is its connection, when it has come. */
async function serveFirst(onRequest: (exchange: ServerExchange) => void) {
  const served = Promise.withResolvers<Socket>();
  const handler = { onRequest, onProblem: () => undefined, onClose: () => undefined };
  const port = await portOf(
    createServer({ allowHalfOpen: true }, (socket) => {
      new Http1ServerConnection(socket, handler);
      served.resolve(socket);
    }),
  );
  return { port, served: served.promise };
}

describe('a server connection', () => {
  test('serves requests of Node over one connection', async () => {
    const port = await serveEcho();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => {
      agent.destroy();
    });
    const sockets = new Set<Socket>();
    for (const body of ['', 'one', 'x'.repeat(200_000)]) {
      const call = httpRequest({ port, agent, method: 'POST', path: '/p?q' });
      call.once('socket', (socket) => sockets.add(socket));
      call.end(body);
      const [response] = (await once(call, 'response')) as [NodeJS.ReadableStream];
      expect((await buffer(response)).toString()).toBe(`POST /p?q ${body}`);
    }
    expect(sockets.size).toBe(1);
  });

  test('answers pipelined requests in order and closes after the last when told to', async () => {
    const port = await serveEcho();
    const answer = await raw(
      port,
      'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    expect(answer.indexOf('GET /1')).toBeLessThan(answer.indexOf('GET /2'));
    expect(answer).toContain('connection: close');
  });

  test('answers no more requests than their client takes answers, and all of them in the end', async () => {
    const count = 100_000;
    let asked = 0;
    const answer = (exchange: ServerExchange): BodyListener => {
      asked += 1;
      return echo(exchange);
    };
    const { port, served } = await serveFirst(receiving(answer));
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).pause();
    const path = `/${'a'.repeat(200)}`;
    client.end(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(count));
    const socket = await served;
    await eventually(() => socket.writableNeedDrain);
    await delay(100);
    expect(socket.writableLength).toBeLessThan(100_000);
    expect(asked).toBeLessThan(count / 2);
    expect((await text(client)).split('GET /')).toHaveLength(count + 1);
    client.destroy();
  });

  test('leaves requests on the wire that a client sends ahead, and answers them in the end', async () => {
    const count = 20_000;
    const waiting = Promise.withResolvers<() => void>();
    let answered = 0;
    const answer = (exchange: ServerExchange): BodyListener => {
      const listener = echo(exchange);
      answered += 1;
      if (answered > 1) return listener;
      return { ...listener, onEnd: () => waiting.resolve(() => listener.onEnd()) };
    };
    const { port, served } = await serveFirst(receiving(answer));
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    client.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(count));
    const answers = text(client);
    const answerFirst = await waiting.promise;
    await delay(50);
    expect((await served).bytesRead).toBeLessThan(200_000);
    answerFirst();
    expect((await answers).split('GET / ')).toHaveLength(count + 1);
    client.destroy();
  });

  test('that refused a message before its end sees the client go, and no second problem', async () => {
    const problems: HttpProblem[] = [];
    const closed = Promise.withResolvers<void>();
    const refuse = (exchange: ServerExchange): BodyListener => {
      exchange.pause();
      exchange.respond({ status: 403, headers: [] }, 0);
      exchange.end();
      return { ...echo(exchange), onEnd: () => undefined };
    };
    const port = await portOf(
      createServer({ allowHalfOpen: true }, (socket) => {
        const onProblem = (problem: HttpProblem): void => void problems.push(problem);
        const onClose = (): void => closed.resolve();
        new Http1ServerConnection(socket, { onRequest: receiving(refuse), onProblem, onClose });
      }),
    );
    const upload = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n${'x'.repeat(200_000)}`;
    expect(await raw(port, upload)).toMatch(/^HTTP\/1.1 403 /);
    await closed.promise;
    expect(problems).toEqual([]);
  });

  test('answers what had arrived when the client ended its side, and then ends its own', async () => {
    const answerLater = (exchange: ServerExchange): BodyListener => {
      const listener = echo(exchange);
      return { ...listener, onEnd: () => void delay(20).then(() => listener.onEnd()) };
    };
    const port = await portOf(
      createServer({ allowHalfOpen: true }, (socket) => {
        const ignore = (): void => undefined;
        new Http1ServerConnection(socket, {
          onRequest: receiving(answerLater),
          onProblem: ignore,
          onClose: ignore,
        });
      }),
    );
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.end('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await text(socket)).toMatch(/GET \/1 [\s\S]*GET \/2 $/);
    socket.destroy();
  });

  test('answers 400 to a request that smuggles and serves nothing behind it', async () => {
    const problems: HttpProblem[] = [];
    const port = await serveEcho(problems);
    const smuggling =
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';
    const answer = await raw(port, smuggling);
    expect(answer).toMatch(/^HTTP\/1.1 400 [\s\S]*Bad Request$/);
    expect(answer).not.toContain('/hidden');
    expect(problems).toHaveLength(1);
  });

  test('goes on after an answer to a head without body, and after a body says that it ends', async () => {
    const refuse = (exchange: ServerExchange): BodyListener => {
      const headers = ['content-length', '0'];
      exchange.respond({ status: 403, headers }, 0);
      exchange.end();
      return { ...echo(exchange), onEnd: () => undefined };
    };
    const handler = {
      onRequest: receiving(refuse),
      onProblem: () => undefined,
      onClose: () => undefined,
    };
    const port = await portOf(
      createServer(
        { allowHalfOpen: true },
        (socket) => void new Http1ServerConnection(socket, handler),
      ),
    );
    const upload = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n';
    expect(await raw(port, `GET / HTTP/1.1\r\nHost: a\r\n\r\n${upload}`)).toBe(
      'HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n' +
        'HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n',
    );
  });

  test.for([
    ['bare line feeds', 'GET / HTTP/1.1\nHost: a\n\n'],
    ['a bare line feed at the end', 'GET / HTTP/1.1\r\nHost: a\r\n\n'],
    ['a bare line feed before it', '\nGET / HTTP/1.1\r\nHost: a'],
    ['bare carriage returns', 'GET / HTTP/1.1\rHost: a\r\r'],
    ['a NUL', 'GET / HTTP/1.1\r\nHost: a\r\nX: \0'],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00'],
    ['bare line feeds in trailers', `${CHUNKED}0\r\nX: y\n\n`],
    ['a head that does not end', `GET / HTTP/1.1\r\n${`X: ${'a'.repeat(1000)}\r\n`.repeat(62)}`],
  ])('refuses %s at once, though the request has not ended', async ([, bytes]) => {
    const port = await serveEcho();
    expect(await raw(port, bytes!)).toMatch(/^HTTP\/1.1 4(00|31) [\s\S]*connection: close/);
  });

  test('answers a request that comes byte by byte, empty lines before it included', async () => {
    const port = await serveEcho();
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const request =
      '\r\n\r\nPOST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n';
    for (const byte of request) {
      socket.write(byte);
      await delay(1);
    }
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(String(answer)).toMatch(/POST \/slow ok$/);
    socket.destroy();
  });

  test('that drains says so in the next answer and closes then, and not before', async () => {
    const connections: Http1ServerConnection[] = [];
    const port = await portOf(
      createServer({ allowHalfOpen: true }, (socket) => {
        const handler = {
          onRequest: receiving(echo),
          onProblem: () => undefined,
          onClose: () => undefined,
        };
        connections.push(new Http1ServerConnection(socket, handler));
      }),
    );
    const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const socket = connect({ port, host: '127.0.0.1' });
    socket.write(get('/1'));
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(String(first)).not.toContain('connection: close');
    connections[0]?.drain();
    await delay(50);
    expect(socket.readableEnded).toBe(false);
    socket.write(get('/2') + get('/3'));
    const last = await text(socket);
    expect(last).toMatch(/connection: close[\s\S]*GET \/2 $/);
    socket.destroy();
  });

  test('lets an answer that had begun as it started to drain end, and closes after the next', async () => {
    const served = Promise.withResolvers<{
      connection: Http1ServerConnection;
      finish: () => void;
    }>();
    const port = await portOf(
      createServer({ allowHalfOpen: true }, (socket) => {
        const answer = (exchange: ServerExchange): BodyListener => {
          if (exchange.head.path !== '/long') return echo(exchange);
          const headers = ['content-length', '4'];
          exchange.respond({ status: 200, headers }, 4);
          exchange.write(Buffer.from('lo'));
          exchange.flush();
          const finish = (): void => {
            exchange.write(Buffer.from('ng'));
            exchange.end();
          };
          served.resolve({ connection, finish });
          return { ...echo(exchange), onEnd: () => undefined };
        };
        const handler = {
          onRequest: receiving(answer),
          onProblem: () => undefined,
          onClose: () => undefined,
        };
        const connection = new Http1ServerConnection(socket, handler);
      }),
    );
    const socket = connect({ port, host: '127.0.0.1' });
    socket.write('GET /long HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n');
    const { connection, finish } = await served.promise;
    connection.drain();
    finish();
    expect(await text(socket)).toMatch(/long[\s\S]*connection: close[\s\S]*GET \/next $/);
    socket.destroy();
  });

  test('that refused an upload reads on for a while only, and no more than so much', async () => {
    const refuse = (exchange: ServerExchange): BodyListener => {
      exchange.respond({ status: 403, headers: [] }, 0);
      exchange.end();
      return { ...echo(exchange), onEnd: () => undefined };
    };
    const served = Promise.withResolvers<Socket>();
    const port = await portOf(
      createServer({ allowHalfOpen: true }, (socket) => {
        const handler = {
          onRequest: receiving(refuse),
          onProblem: () => undefined,
          onClose: () => undefined,
        };
        new Http1ServerConnection(socket, handler);
        served.resolve(socket);
      }),
    );
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    client.on('error', () => undefined);
    const closed = new Promise((resolve) => client.once('close', resolve));
    let answer = '';
    client.on('data', (bytes) => {
      answer += bytes.toString();
    });
    client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    const piece = Buffer.from(`10000\r\n${'x'.repeat(0x1_00_00)}\r\n`);
    const upload = (): void => {
      while (!client.destroyed && client.write(piece));
    };
    client.on('drain', upload);
    upload();
    const served403 = await served.promise;
    await closed;
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
    expect(served403.bytesRead).toBeLessThan(4 * 1024 * 1024);
  });

  test('answers 426 to HTTP/1.0 and 100 to a client that waits for it', async () => {
    const port = await serveEcho();
    expect(await raw(port, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1.1 426 /);
    const waiting =
      'PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';
    expect(await raw(port, waiting)).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/);
  });
});

test('a client that neither reads the last answer nor ends its side does not keep its connection', async () => {
  const transport = new StuckTransport();
  new Http1ServerConnection(transport, {
    onRequest: receiving(echo),
    onProblem: () => undefined,
    onClose: () => undefined,
    times: { headMs: 0, requestMs: 0, exchangeIdleMs: 0, connectionIdleMs: 10 },
  });
  transport.push('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  expect(transport.destroyed).toBe(false);
  await eventually(() => transport.destroyed);
});
