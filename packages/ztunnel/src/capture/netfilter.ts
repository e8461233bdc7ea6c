import { readSync, writeSync } from 'node:fs';
import { closeSocket, netfilterSocket } from './libc.ts';
import type { NetworkNamespace } from './netns.ts';

/** struct nlmsghdr and struct nfgenmsg, both in host order (include/uapi/linux/netlink.h, nfnetlink.h). */
const HEADER_BYTES = 20;
const ATTRIBUTE_HEADER_BYTES = 4;
const DELETE_CONNECTIONS = (1 << 8) | 2;
const GET_CHAIN = (10 << 8) | 4;
const GET_GENERATION = (10 << 8) | 16;
const REQUEST = 0x1;
const REQUEST_AND_ACKNOWLEDGE = 0x1 | 0x4;
const FAMILY_INET = 1;
const CHAIN_TABLE = 1;
const CHAIN_NAME = 3;
/** Type of an answer that is an error number or, when it is 0, an acknowledgement. */
const ERROR = 2;
/** Where such an answer has the error number, negated. */
const ERROR_OFFSET = 16;
const MAX_ANSWER_BYTES = 8_192;

/** What the kernel says of the rules in a namespace. */
export interface RulesState {
  /** Another number after every change of any rule, whoever made it. */
  readonly generation: number;
  /** The comment of the chain that was asked for, empty if it has none; null if there is no such chain. */
  readonly comment: string | null;
}

/** Looks at a namespace's nftables without starting a program: this is done for every pod, again and again. */
export function rulesState(
  namespace: NetworkNamespace,
  chain: { readonly table: string; readonly name: string },
): RulesState {
  const fd = namespace.run(netfilterSocket);
  try {
    const generation = ask(fd, message(GET_GENERATION, REQUEST, []));
    const found = ask(
      fd,
      message(GET_CHAIN, REQUEST, [
        attribute(CHAIN_TABLE, chain.table),
        attribute(CHAIN_NAME, chain.name),
      ]),
    );
    return {
      generation: errorOf(generation) === null ? generation.readUInt32BE(HEADER_BYTES + 4) : 0,
      comment: errorOf(found) === null ? commentIn(found) : null,
    };
  } finally {
    closeSocket(fd);
  }
}

/**
 * Makes the kernel forget every connection it tracks in a namespace. Without rules it does not see them end: one that was
 * open when capture stopped would be held open for five days, and what reuses its ports would be sent where it went,
 * past the rules of the next capture. Throws if the kernel refuses.
 */
export function forgetConnections(namespace: NetworkNamespace): void {
  const fd = namespace.run(netfilterSocket);
  try {
    const request = message(DELETE_CONNECTIONS, REQUEST_AND_ACKNOWLEDGE, []);
    const errno = errorOf(ask(fd, request)) ?? 0;
    if (errno !== 0) throw new Error(`tracked connections were not forgotten: errno ${errno}`);
  } finally {
    closeSocket(fd);
  }
}

function message(type: number, flags: number, attributes: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  const bytes = Buffer.concat([header, ...attributes]);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt8(attributes.length === 0 ? 0 : FAMILY_INET, 16);
  return bytes;
}

/** Length and type in host order, then the text and its NUL, padded to four bytes. */
function attribute(type: number, text: string): Buffer {
  const length = ATTRIBUTE_HEADER_BYTES + Buffer.byteLength(text) + 1;
  const bytes = Buffer.alloc(Math.ceil(length / 4) * 4);
  bytes.writeUInt16LE(length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.write(text, ATTRIBUTE_HEADER_BYTES);
  return bytes;
}

/** The kernel answers before the write returns: this does not wait. */
function ask(fd: number, request: Buffer): Buffer {
  writeSync(fd, request);
  const answer = Buffer.alloc(MAX_ANSWER_BYTES);
  return answer.subarray(0, readSync(fd, answer));
}

/** Null for an answer that is none. */
function errorOf(answer: Buffer): number | null {
  return answer.readUInt16LE(4) === ERROR ? -answer.readInt32LE(ERROR_OFFSET) : null;
}

const CHAIN_USERDATA = 12;

/** `nft` keeps a comment as the first record of the chain's user data: type 0, length, text with its NUL. */
function commentIn(answer: Buffer): string {
  for (let at = HEADER_BYTES; at + ATTRIBUTE_HEADER_BYTES <= answer.length; ) {
    const length = answer.readUInt16LE(at);
    if (length < ATTRIBUTE_HEADER_BYTES) break;
    const isUserdata = (answer.readUInt16LE(at + 2) & 0x3fff) === CHAIN_USERDATA;
    const record = at + ATTRIBUTE_HEADER_BYTES;
    if (isUserdata) {
      return answer.toString('utf8', record + 2, record + 2 + answer.readUInt8(record + 1) - 1);
    }
    at += Math.ceil(length / 4) * 4;
  }
  return '';
}
