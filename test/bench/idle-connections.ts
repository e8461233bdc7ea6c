/**
 * Opens connections (arguments: host, port, how many), makes one HTTP request on each and then leaves them alone.
 * Prints "open" when all have been answered; ends with its standard input.
 */
import { once } from 'node:events';
import { connect } from 'node:net';

const [host = '', port = '', count = ''] = process.argv.slice(2);
const BATCH = 50;

async function openOne(): Promise<void> {
  const socket = connect(Number(port), host);
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await once(socket, 'data');
  socket.on('close', () => process.exit(1));
}

for (let open = 0; open < Number(count); open += BATCH) {
  await Promise.all(Array.from({ length: BATCH }, openOne));
}
process.stdout.write('open\n');
process.stdin.resume().once('end', () => process.exit(0));
