import { WebSocket } from 'ws';
import type { Link, LinkEvents } from './conversation.ts';

const GOING_AWAY = 1001;
const NO_CLOSE_FRAME = 1006;

/** A WebSocket over HTTP/1.1. Its end is told by the server in a close frame, or by a proxy with the end of the bytes. */
export function openWebSocket(url: string, events: LinkEvents): Link {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  let problem: string | null = null;
  socket.on('open', () => events.onOpen());
  socket.on('message', (data) => events.onMessage(String(data)));
  const onError = (error: Error): void => {
    problem = error.message;
  };
  socket.on('error', onError);
  // Of an open one's connection nothing is told but that it is over.
  socket.on('upgrade', (response) => response.socket.on('error', onError));
  socket.on('close', (code) => {
    if (problem !== null) events.onEnd('cut', problem);
    else if (code === NO_CLOSE_FRAME) events.onEnd('closed', 'the connection ended');
    else events.onEnd('closed', code === GOING_AWAY ? 'going away' : `close frame ${code}`);
  });
  return {
    send: (text) => socket.send(text),
    finish: () => socket.close(),
  };
}
