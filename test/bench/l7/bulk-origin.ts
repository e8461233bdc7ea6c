/**
 * An HTTP/1.1 server of large bodies (argument: port), which costs less than a proxy: `GET …/<bytes>` is answered with so
 * many bytes, a PUT when all of its body has been read.
 */
import { createServer, type Socket } from 'node:net';

const PIECE = Buffer.alloc(256 * 1024);

/** One after the other: a request is answered before the next comes. */
class Connection {
  readonly #socket: Socket;
  #head = '';
  #unreadBytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  read(bytes: Buffer): void {
    if (this.#unreadBytes > 0) this.#readBody(bytes.length);
    else this.#readHead(bytes.toString('latin1'));
  }

  #readHead(text: string): void {
    this.#head += text;
    const end = this.#head.indexOf('\r\n\r\n') + 4;
    if (end < 4) return;
    const head = this.#head.slice(0, end);
    const read = this.#head.length - end;
    this.#head = '';
    const [, size] = /^GET \S*\/(\d+) /.exec(head) ?? [];
    if (size === undefined) {
      this.#unreadBytes = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
      this.#readBody(read);
    } else {
      this.#answer(Number(size));
    }
  }

  #readBody(bytes: number): void {
    this.#unreadBytes -= bytes;
    if (this.#unreadBytes === 0) this.#answer(0);
  }

  #answer(size: number): void {
    this.#socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
    this.#send(size);
  }

  #send(size: number): void {
    let unsent = size;
    while (unsent > 0) {
      const piece = PIECE.subarray(0, unsent);
      unsent -= piece.length;
      if (!this.#socket.write(piece)) {
        this.#socket.once('drain', () => this.#send(unsent));
        return;
      }
    }
  }
}

const port = Number(process.argv[2]);
createServer({ noDelay: true }, (socket) => {
  const connection = new Connection(socket);
  socket.on('data', (bytes: Buffer) => connection.read(bytes)).on('error', () => socket.destroy());
}).listen(port, '127.0.0.1');
process.stdin.resume().once('end', () => process.exit(0));
