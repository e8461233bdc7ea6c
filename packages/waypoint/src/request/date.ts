// hot path: every answer that has no date of its own

let lastSecond = 0;
let lastText = '';

/** Now, as `date` says it; made once a second. */
export function dateText(): string {
  const nowMs = Date.now();
  const second = Math.floor(nowMs / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastText = new Date(nowMs).toUTCString();
  }
  return lastText;
}
