import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { check, closeSocket } from './libc.ts';

/**
 * Packets with file descriptors over a Unix socket, which Node does not offer. Structures are those of 64-bit Linux
 * (unix(7), recvmsg(2), cmsg(3)).
 */
const libc = koffi.load('libc.so.6');
const socketCall = libc.func('int socket(int domain, int type, int protocol)');
const connectCall = libc.func('int connect(int fd, const void *address, uint32_t length)');
const sendCall = libc.func('long send(int fd, const void *bytes, size_t length, int flags)');
const recvmsgCall = libc.func('long recvmsg(int fd, void *message, int flags)');
const shutdownCall = libc.func('int shutdown(int fd, int how)');
const pollCall = libc.func('int poll(void *fds, unsigned long count, int timeoutMs)');

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
/** MSG_TRUNC and MSG_CTRUNC. */
const CUT_OFF = 0x20 | 0x08;
const SHUT_RDWR = 2;
const POLLIN = 1;
const WAIT_FOR_EVER = -1;

/** sockaddr_un: the path, its final zero included, fits in 108 bytes. */
const MAX_PATH_BYTES = 107;
const MAX_PACKET_BYTES = 65_536;
const CMSG_HEADER_BYTES = 16;
const MESSAGE_HEADER_BYTES = 56;
/** Room for more descriptors than anybody may send: those in excess are seen, and closed. */
const CONTROL_BYTES = CMSG_HEADER_BYTES + 16 * 4;

/** One packet, and the descriptors that came with it, which the receiver must close. */
export interface Packet {
  readonly bytes: Buffer;
  readonly fds: readonly number[];
}

/** A connected socket of type SOCK_SEQPACKET. Reading waits on a thread of Node's pool, not on the event loop. */
export class SeqpacketSocket {
  readonly #fd: number;
  #isOpen = true;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Throws if nobody listens there. */
  static connect(path: string): SeqpacketSocket {
    const text = Buffer.from(path);
    if (text.length > MAX_PATH_BYTES) throw new Error(`${path} is too long for a socket`);
    const address = Buffer.alloc(2 + text.length + 1);
    address.writeUInt16LE(AF_UNIX, 0);
    address.set(text, 2);
    const fd = check('socket', socketCall(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    try {
      check('connect', connectCall(fd, address, address.length));
    } catch (error) {
      closeSocket(fd);
      throw error;
    }
    return new SeqpacketSocket(fd);
  }

  /** Never waits. Throws if the peer is gone, or has left unread what was sent before. */
  send(bytes: Uint8Array): void {
    const flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    check('send', Number(sendCall(this.#fd, Buffer.from(bytes), bytes.length, flags)));
  }

  /** The next packet; null once the peer, or `shutdown`, has ended the connection. */
  async receive(): Promise<Packet | null> {
    await this.#readable();
    if (!this.#isOpen) return null;
    const bytes = Buffer.alloc(MAX_PACKET_BYTES);
    const control = Buffer.alloc(CONTROL_BYTES);
    const vector = Buffer.alloc(16);
    vector.writeBigUInt64LE(addressOf(bytes), 0);
    vector.writeBigUInt64LE(BigInt(bytes.length), 8);
    const message = Buffer.alloc(MESSAGE_HEADER_BYTES);
    message.writeBigUInt64LE(addressOf(vector), 16);
    message.writeBigUInt64LE(1n, 24);
    message.writeBigUInt64LE(addressOf(control), 32);
    message.writeBigUInt64LE(BigInt(control.length), 40);
    const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    const length = check('recvmsg', Number(recvmsgCall(this.#fd, message, flags)));
    const fds = descriptorsIn(control.subarray(0, Number(message.readBigUInt64LE(40))));
    if ((message.readInt32LE(48) & CUT_OFF) !== 0) {
      for (const fd of fds) closeSync(fd);
      throw new Error('a packet was cut off');
    }
    if (length > 0) return { bytes: bytes.subarray(0, length), fds };
    // The end, or an empty packet, which nobody has a reason to send.
    for (const fd of fds) closeSync(fd);
    return null;
  }

  /** Ends the connection: whoever waits in `receive` gets null. */
  shutdown(): void {
    this.#isOpen = false;
    shutdownCall(this.#fd, SHUT_RDWR);
  }

  /** To be called when nobody waits any more. */
  close(): void {
    closeSocket(this.#fd);
  }

  #readable(): Promise<void> {
    const fds = Buffer.alloc(8);
    fds.writeInt32LE(this.#fd, 0);
    fds.writeInt16LE(POLLIN, 4);
    return new Promise((resolve, reject) => {
      pollCall.async(fds, 1, WAIT_FOR_EVER, (error: Error | null) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }
}

function addressOf(buffer: Buffer): bigint {
  return BigInt(koffi.address(buffer));
}

function descriptorsIn(control: Buffer): number[] {
  const fds: number[] = [];
  let at = 0;
  while (at + CMSG_HEADER_BYTES <= control.length) {
    const length = Number(control.readBigUInt64LE(at));
    const isRights =
      control.readInt32LE(at + 8) === SOL_SOCKET && control.readInt32LE(at + 12) === SCM_RIGHTS;
    const end = Math.min(at + length, control.length);
    for (let fd = at + CMSG_HEADER_BYTES; isRights && fd + 4 <= end; fd += 4) {
      fds.push(control.readInt32LE(fd));
    }
    if (length < CMSG_HEADER_BYTES) break;
    at += Math.ceil(length / 8) * 8;
  }
  return fds;
}
