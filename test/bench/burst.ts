/**
 * Opens connections all at once (arguments: host, port, how many), with one HTTP request on each, and prints how long
 * it took until all had an answer, as JSON. Fails if one has none.
 */
import { once } from 'node:events';
import { connect } from 'node:net';

const [host = '', port = '', count = ''] = process.argv.slice(2);
const REQUEST = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;

async function request(): Promise<void> {
  const socket = connect(Number(port), host);
  socket.write(REQUEST);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  if (!answer.toString().startsWith('HTTP/1.1 200')) throw new Error(answer.toString());
  socket.destroy();
}

const startMs = performance.now();
await Promise.all(Array.from({ length: Number(count) }, request));
process.stdout.write(JSON.stringify({ ms: performance.now() - startMs }));
