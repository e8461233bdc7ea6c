// hot path: every header field

/** The static table (RFC 7541 appendix A): names and values, from index 1. */
const STATIC_FIELDS = `:authority|
:method|GET
:method|POST
:path|/
:path|/index.html
:scheme|http
:scheme|https
:status|200
:status|204
:status|206
:status|304
:status|400
:status|404
:status|500
accept-charset|
accept-encoding|gzip, deflate
accept-language|
accept-ranges|
accept|
access-control-allow-origin|
age|
allow|
authorization|
cache-control|
content-disposition|
content-encoding|
content-language|
content-length|
content-location|
content-range|
content-type|
cookie|
date|
etag|
expect|
expires|
from|
host|
if-match|
if-modified-since|
if-none-match|
if-range|
if-unmodified-since|
last-modified|
link|
location|
max-forwards|
proxy-authenticate|
proxy-authorization|
range|
referer|
refresh|
retry-after|
server|
set-cookie|
strict-transport-security|
transfer-encoding|
user-agent|
vary|
via|
www-authenticate|`
  .split('\n')
  .map((line) => line.split('|'));

export const STATIC_NAMES: readonly string[] = STATIC_FIELDS.map(([name]) => name!);
export const STATIC_VALUES: readonly string[] = STATIC_FIELDS.map(([, value]) => value!);
export const STATIC_COUNT: number = STATIC_FIELDS.length;

/** Size of a field as HPACK and SETTINGS_MAX_HEADER_LIST_SIZE count it, in bytes (RFC 7541 section 4.1). */
export function fieldSize(name: string, value: string): number {
  return name.length + value.length + 32;
}

/** Fields added last come first; the oldest go when the size in bytes is exceeded (RFC 7541 sections 2.3.2 and 4). */
export class DynamicTable {
  #names: string[] = [];
  #values: string[] = [];
  /** Index of the oldest field in the arrays; those before it were evicted. */
  #oldest = 0;
  #evicted = 0;
  #size = 0;
  #maxSize: number;
  readonly #onEvict: ((name: string, value: string, serial: number) => void) | null;

  constructor(
    maxSize: number,
    onEvict: ((name: string, value: string, serial: number) => void) | null = null,
  ) {
    this.#maxSize = maxSize;
    this.#onEvict = onEvict;
  }

  get count(): number {
    return this.#names.length - this.#oldest;
  }

  get maxSize(): number {
    return this.#maxSize;
  }

  /** Fields ever added; the newest one has this number less one as its serial. */
  get added(): number {
    return this.#evicted + this.count;
  }

  /** Position 0 is the newest. */
  name(position: number): string {
    return this.#names[this.#names.length - 1 - position]!;
  }

  value(position: number): string {
    return this.#values[this.#values.length - 1 - position]!;
  }

  setMaxSize(bytes: number): void {
    this.#maxSize = bytes;
    this.#evictTo(bytes);
  }

  /** A field larger than the table empties it and is not added. */
  add(name: string, value: string): void {
    const size = fieldSize(name, value);
    this.#evictTo(Math.max(0, this.#maxSize - size));
    if (size > this.#maxSize) return;
    this.#names.push(name);
    this.#values.push(value);
    this.#size += size;
  }

  #evictTo(bytes: number): void {
    while (this.#size > bytes) {
      const name = this.#names[this.#oldest]!;
      const value = this.#values[this.#oldest]!;
      this.#size -= fieldSize(name, value);
      this.#onEvict?.(name, value, this.#evicted);
      this.#oldest += 1;
      this.#evicted += 1;
    }
    if (this.#oldest > 64 && this.#oldest > this.#names.length / 2) {
      this.#names = this.#names.slice(this.#oldest);
      this.#values = this.#values.slice(this.#oldest);
      this.#oldest = 0;
    }
  }
}
