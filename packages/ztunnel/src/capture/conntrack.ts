import { readSync, writeSync } from 'node:fs';
import { closeSocket, netfilterSocket } from './libc.ts';
import type { NetworkNamespace } from './netns.ts';

/** struct nlmsghdr and struct nfgenmsg, both in host order (include/uapi/linux/netlink.h, nfnetlink.h). */
const MESSAGE_BYTES = 20;
const DELETE_CONNECTIONS = (1 << 8) | 2;
const REQUEST_AND_ACKNOWLEDGE = 0x1 | 0x4;
/** Where an acknowledgement has the error number, negated; 0 for none. */
const ERROR_OFFSET = 16;

/**
 * Makes the kernel forget every connection it tracks in a namespace. Without rules it does not see them end: one that was
 * open when capture stopped would be held open for five days, and what reuses its ports would be sent where it went,
 * past the rules of the next capture. Throws if the kernel refuses.
 */
export function forgetConnections(namespace: NetworkNamespace): void {
  const message = Buffer.alloc(MESSAGE_BYTES);
  message.writeUInt32LE(MESSAGE_BYTES, 0);
  message.writeUInt16LE(DELETE_CONNECTIONS, 4);
  message.writeUInt16LE(REQUEST_AND_ACKNOWLEDGE, 6);
  const fd = namespace.run(netfilterSocket);
  try {
    writeSync(fd, message);
    const answer = Buffer.alloc(256);
    readSync(fd, answer);
    const errno = -answer.readInt32LE(ERROR_OFFSET);
    if (errno !== 0) throw new Error(`tracked connections were not forgotten: errno ${errno}`);
  } finally {
    closeSocket(fd);
  }
}
