// hot path: strings of every header block from peers that compress them
import { type HttpError, violation } from '../http-error.ts';

/**
 * Length in bits of each octet's code, and of end-of-string (RFC 7541 appendix B). The codes are canonical: counted
 * up in order of length, then of octet; so the lengths are the whole table.
 */
const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
  6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6,
  7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
  23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22,
  22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
  23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27,
  27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
  24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const END_OF_STRING = 256;
const LONGEST_PADDING_BITS = 7;

/** A step by half an octet: bits 0-8 next state, 9-16 the octet it completes, then whether it does, and failure. */
const NEXT_MASK = 0x1ff;
const OCTET_SHIFT = 9;
const COMPLETES = 1 << 17;
const FAILS = 1 << 18;

/** The code as a tree: `children[2 * node + bit]` is a node, or -1 - octet at a leaf. */
function buildTree(): number[] {
  const children: number[] = [0, 0];
  const order = CODE_BITS.map((_bits, octet) => octet).sort(
    (a, b) => CODE_BITS[a]! - CODE_BITS[b]! || a - b,
  );
  let code = 0;
  let bits = 0;
  for (const octet of order) {
    code = bits === 0 ? 0 : (code + 1) * 2 ** (CODE_BITS[octet]! - bits);
    bits = CODE_BITS[octet]!;
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit--) {
      const slot = 2 * node + ((code >>> bit) & 1);
      if (children[slot] === 0) {
        children[slot] = children.length / 2;
        children.push(0, 0);
      }
      node = children[slot]!;
    }
    children[2 * node + (code & 1)] = -1 - octet;
  }
  return children;
}

function buildSteps(children: readonly number[]): Int32Array {
  const steps = new Int32Array((children.length / 2) * 16);
  for (let state = 0; state < children.length / 2; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state;
      let step = 0;
      for (let bit = 3; bit >= 0; bit--) {
        const next = children[2 * node + ((nibble >> bit) & 1)]!;
        if (next >= 0) {
          node = next;
          continue;
        }
        const octet = -1 - next;
        step |= octet === END_OF_STRING ? FAILS : COMPLETES | (octet << OCTET_SHIFT);
        node = 0;
      }
      steps[state * 16 + nibble] = step | node;
    }
  }
  return steps;
}

/** States in which a string may end: at most 7 bits, all ones, after the last octet (RFC 7541 section 5.2). */
function buildEnds(children: readonly number[]): Uint8Array {
  const ends = new Uint8Array(children.length / 2);
  let node = 0;
  for (let bits = 0; bits <= LONGEST_PADDING_BITS; bits++) {
    ends[node] = 1;
    node = children[2 * node + 1]!;
  }
  return ends;
}

const TREE = buildTree();
const STEPS = buildSteps(TREE);
const ENDS = buildEnds(TREE);

let scratch = Buffer.allocUnsafe(4096);

/** Decodes a Huffman-coded string literal. Throws COMPRESSION_ERROR on bad padding or end-of-string inside. */
export function decodeHuffman(source: Buffer, start: number, end: number): string {
  // The shortest code has 5 bits.
  const most = Math.ceil(((end - start) * 8) / 5);
  if (scratch.length < most) scratch = Buffer.allocUnsafe(most);
  let length = 0;
  let state = 0;
  for (let at = start; at < end; at++) {
    const octet = source[at]!;
    const high = STEPS[state * 16 + (octet >> 4)]!;
    if ((high & COMPLETES) !== 0) scratch[length++] = high >> OCTET_SHIFT;
    const low = STEPS[(high & NEXT_MASK) * 16 + (octet & 15)]!;
    if ((low & COMPLETES) !== 0) scratch[length++] = low >> OCTET_SHIFT;
    if (((high | low) & FAILS) !== 0) throw badString();
    state = low & NEXT_MASK;
  }
  if (ENDS[state] === 0) throw badString();
  return scratch.toString('latin1', 0, length);
}

function badString(): HttpError {
  return violation('COMPRESSION_ERROR', 'a header string is not valid Huffman code');
}
