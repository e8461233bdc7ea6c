import { type CapturedPackets, showsTls13 } from '../link-capture.ts';
import type { Stage } from '../stage.ts';

/** Sent as a header, so that it can be looked for on the link between the nodes. */
const PLAIN_WORDS = 'these-words-travel-in-plain-text';
export const MARKED: readonly string[] = ['-H', `x-words: ${PLAIN_WORDS}`];

/** What somebody on the link sees of requests to a server. */
interface OnTheLink {
  readonly ports: readonly number[];
  readonly isReadable: boolean;
  readonly isTls13: boolean;
}

export function onTheLink(packets: CapturedPackets, serverIp: string): OnTheLink {
  return {
    ports: packets.portsOf(serverIp),
    isReadable: packets.bytes.includes(PLAIN_WORDS),
    isTls13: showsTls13(packets),
  };
}

export function showLink({ narrator }: Stage, { ports, isReadable }: OnTheLink): void {
  narrator.typed('ip netns exec aqf-node-1 tcpdump -i fabric  # the link between the nodes');
  const words = isReadable ? `"x-words: ${PLAIN_WORDS}"` : 'nothing readable';
  narrator.cameBack(`ports of the server: ${ports.join(', ')}; contents: ${words}`);
}
