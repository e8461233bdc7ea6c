import koffi from 'koffi';
import { ztunnelError } from '../errors.ts';

/**
 * The few C library calls that Node lacks. Numbers are Linux's for x86-64 and arm64 (include/uapi); every call is
 * synchronous and belongs to the calling thread.
 */
const libc = koffi.load('libc.so.6');

type Call = (...args: readonly (number | Buffer)[]) => number;

const setnsCall = libc.func('int setns(int fd, int nstype)') as Call;
const socketCall = libc.func('int socket(int domain, int type, int protocol)') as Call;
const bindCall = libc.func('int bind(int fd, const void *address, uint32_t length)') as Call;
const closeCall = libc.func('int close(int fd)') as Call;
const listenCall = libc.func('int listen(int fd, int backlog)') as Call;
const setsockoptCall = libc.func(
  'int setsockopt(int fd, int level, int option, const void *value, uint32_t length)',
) as Call;
const getsockoptCall = libc.func(
  'int getsockopt(int fd, int level, int option, void *value, void *length)',
) as Call;

const CLONE_NEWNET = 0x40000000;
export const AF_INET = 2;
export const AF_INET6 = 10;
const AF_NETLINK = 16;
const NETLINK_NETFILTER = 12;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

/** Level and number of the socket options in use. */
export const OPTION = {
  reuseAddress: { level: 1, number: 2 },
  reusePort: { level: 1, number: 15 },
  mark: { level: 1, number: 36 },
  keepAlive: { level: 1, number: 9 },
  keepIdleSeconds: { level: 6, number: 4 },
  keepIntervalSeconds: { level: 6, number: 5 },
  keepCount: { level: 6, number: 6 },
  userTimeoutMs: { level: 6, number: 18 },
  v6Only: { level: 41, number: 26 },
  ipTransparent: { level: 0, number: 19 },
  ipFreebind: { level: 0, number: 15 },
  ipBindAddressNoPort: { level: 0, number: 24 },
  ipv6Transparent: { level: 41, number: 75 },
  ipv6Freebind: { level: 41, number: 78 },
  originalDst: { level: 0, number: 80 },
  originalDst6: { level: 41, number: 80 },
} as const;

/** Throws, with the C library's error, if a call has failed. To be called at once: the number is the thread's last. */
export function check(call: string, result: number): number {
  if (result >= 0) return result;
  const errno = koffi.errno();
  const name = Object.entries(koffi.os.errno).find(([, number]) => number === errno)?.[0];
  throw ztunnelError('ZT_SYSTEM_CALL', `${call} failed: ${name ?? `errno ${errno}`}`);
}

/** Moves the calling thread into a network namespace. */
export function setns(fd: number): void {
  check('setns', setnsCall(fd, CLONE_NEWNET));
}

/** A non-blocking TCP socket that is closed on exec. */
export function tcpSocket(family: number): number {
  return check('socket', socketCall(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/** A non-blocking UDP socket that is closed on exec. */
export function udpSocket(family: number): number {
  return check('socket', socketCall(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/** A socket that speaks to netfilter in the kernel, a message per write. */
export function netfilterSocket(): number {
  return check('socket', socketCall(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
}

/** For a socket that no handle of Node's owns. */
export function closeSocket(fd: number): void {
  check('close', closeCall(fd));
}

export function bindSocket(fd: number, address: Buffer): void {
  check('bind', bindCall(fd, address, address.length));
}

export function listenSocket(fd: number, backlog: number): void {
  check('listen', listenCall(fd, backlog));
}

type SocketOption = (typeof OPTION)[keyof typeof OPTION];

/** A 32-bit argument passed by address, of one call: there are several per connection. */
const argument = Buffer.alloc(4);

export function setOption(fd: number, { level, number }: SocketOption, value: number): void {
  argument.writeInt32LE(value | 0);
  const result = setsockoptCall(fd, level, number, argument, argument.length);
  if (result < 0) check(`setsockopt ${level}/${number}`, result);
}

/** The option's value, at most `maxBytes` long; null if the socket has none. */
export function getOption(fd: number, option: SocketOption, maxBytes: number): Buffer | null {
  const value = Buffer.alloc(maxBytes);
  argument.writeInt32LE(maxBytes);
  const result = getsockoptCall(fd, option.level, option.number, value, argument);
  return result < 0 ? null : value.subarray(0, argument.readInt32LE());
}
