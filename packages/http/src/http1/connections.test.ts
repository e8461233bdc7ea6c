import { once } from 'node:events';
import {
  Agent,
  createServer as createHttpServer,
  type Server as HttpServer,
  request as httpRequest,
} from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ClientConnection, type ClientFailure } from './client-connection.ts';
import type { HttpProblem } from './problem.ts';
import {
  type RequestListener,
  ServerConnection,
  type ServerExchange,
} from './server-connection.ts';

async function portOf(server: Server | HttpServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Answers every request with its method, target and body. */
function echo(exchange: ServerExchange): RequestListener {
  const chunks: Buffer[] = [];
  const answer = (): void => {
    const { method, target } = exchange.head;
    const body = Buffer.concat([Buffer.from(`${method} ${target} `), ...chunks]);
    const headers = ['content-length', String(body.length)];
    exchange.respond(
      { status: 200, reason: 'OK', headers },
      { kind: 'length', bytes: body.length },
    );
    exchange.write(body);
    exchange.end();
  };
  return {
    isUpgrade: false,
    onData: (chunk) => chunks.push(Buffer.from(chunk)),
    onPause: () => undefined,
    onEnd: answer,
    onAbort: () => undefined,
    onDrain: () => undefined,
  };
}

async function serveEcho(problems: HttpProblem[] = []): Promise<number> {
  return portOf(
    createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      new ServerConnection(socket, {
        onRequest: echo,
        onProblem: (problem) => problems.push(problem),
        onClose: () => undefined,
      });
    }),
  );
}

async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(bytes, 'latin1');
  return text(socket);
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

  test('leaves requests on the wire that a client sends ahead, and answers them in the end', async () => {
    const count = 20_000;
    const waiting = Promise.withResolvers<() => void>();
    const served = Promise.withResolvers<Socket>();
    let answered = 0;
    const answer = (exchange: ServerExchange): RequestListener => {
      const listener = echo(exchange);
      answered += 1;
      if (answered > 1) return listener;
      return { ...listener, onEnd: () => waiting.resolve(() => listener.onEnd()) };
    };
    const handler = { onRequest: answer, onProblem: () => undefined, onClose: () => undefined };
    const port = await portOf(
      createServer({ allowHalfOpen: true }, (socket) => {
        new ServerConnection(socket, handler);
        served.resolve(socket);
      }),
    );
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    client.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(count));
    const answers = text(client);
    const answerFirst = await waiting.promise;
    await delay(50);
    expect((await served.promise).bytesRead).toBeLessThan(200_000);
    answerFirst();
    expect((await answers).split('GET / ')).toHaveLength(count + 1);
    client.destroy();
  });

  test('that refused a message before its end sees the client go, and no second problem', async () => {
    const problems: HttpProblem[] = [];
    const closed = Promise.withResolvers<void>();
    const refuse = (exchange: ServerExchange): RequestListener => {
      exchange.pause();
      exchange.respond({ status: 403, reason: 'No', headers: [] }, { kind: 'none' });
      exchange.end();
      return { ...echo(exchange), onEnd: () => undefined };
    };
    const port = await portOf(
      createServer({ allowHalfOpen: true }, (socket) => {
        const onProblem = (problem: HttpProblem): void => void problems.push(problem);
        const onClose = (): void => closed.resolve();
        new ServerConnection(socket, { onRequest: refuse, onProblem, onClose });
      }),
    );
    const upload = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n${'x'.repeat(200_000)}`;
    expect(await raw(port, upload)).toMatch(/^HTTP\/1.1 403 /);
    await closed.promise;
    expect(problems).toEqual([]);
  });

  test('answers what had arrived when the client ended its side, and then ends its own', async () => {
    const answerLater = (exchange: ServerExchange): RequestListener => {
      const listener = echo(exchange);
      return { ...listener, onEnd: () => void delay(20).then(() => listener.onEnd()) };
    };
    const port = await portOf(
      createServer({ allowHalfOpen: true }, (socket) => {
        const ignore = (): void => undefined;
        new ServerConnection(socket, {
          onRequest: answerLater,
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
    const refuse = (exchange: ServerExchange): RequestListener => {
      const headers = ['content-length', '0'];
      exchange.respond({ status: 403, reason: 'No', headers }, { kind: 'none' });
      exchange.end();
      return { ...echo(exchange), onEnd: () => undefined };
    };
    const handler = { onRequest: refuse, onProblem: () => undefined, onClose: () => undefined };
    const port = await portOf(
      createServer({ allowHalfOpen: true }, (socket) => void new ServerConnection(socket, handler)),
    );
    const upload = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n';
    expect(await raw(port, `GET / HTTP/1.1\r\nHost: a\r\n\r\n${upload}`)).toBe(
      'HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n' +
        'HTTP/1.1 403 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n',
    );
  });

  test('answers 426 to HTTP/1.0 and 100 to a client that waits for it', async () => {
    const port = await serveEcho();
    expect(await raw(port, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1.1 426 /);
    const waiting =
      'PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';
    expect(await raw(port, waiting)).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/);
  });
});

interface Answer {
  status: number;
  body: string;
  failure: ClientFailure | null;
}

function send(connection: ClientConnection, target: string, body = ''): Promise<Answer> {
  return new Promise((resolve) => {
    const answer: Answer = { status: 0, body: '', failure: null };
    const headers = ['host', 'upstream', 'content-length', String(body.length)];
    const exchange = connection.request(
      { method: 'POST', target, headers },
      body === '' ? { kind: 'none' } : { kind: 'length', bytes: body.length },
      {
        isUpgrade: false,
        listener: {
          onHead: ({ status }) => {
            answer.status = status;
          },
          onData: (chunk) => {
            answer.body += chunk.toString();
          },
          onPause: () => undefined,
          onEnd: () => resolve(answer),
          onFailure: (failure) => resolve({ ...answer, failure }),
          onDrain: () => undefined,
        },
      },
    );
    if (body !== '') exchange.write(Buffer.from(body));
    exchange.end();
  });
}

async function dial(port: number): Promise<ClientConnection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  await once(socket, 'connect');
  const connection = new ClientConnection(socket);
  onTestFinished(() => {
    connection.close();
  });
  return connection;
}

describe('a client connection', () => {
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
    expect((await send(closing, '/')).failure?.kind).toBe('connection-termination');
    const resetting = await dial(
      await portOf(createServer((socket) => socket.once('data', () => socket.resetAndDestroy()))),
    );
    expect((await send(resetting, '/')).failure?.kind).toBe('remote-reset');
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
    const answered = Promise.withResolvers<ClientFailure | null>();
    const head = { method: 'PUT', target: '/', headers: ['host', 'a', 'content-length', '9'] };
    const exchange = connection.request(
      head,
      { kind: 'length', bytes: 9 },
      {
        isUpgrade: false,
        listener: {
          onHead: () => undefined,
          onData: () => undefined,
          onPause: () => undefined,
          onEnd: () => answered.resolve(null),
          onFailure: (failure) => answered.resolve(failure),
          onDrain: () => undefined,
        },
      },
    );
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
    expect((await send(connection, '/')).failure?.kind).toBe('protocol-error');
  });
});
