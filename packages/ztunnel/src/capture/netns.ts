import { closeSync, fstatSync, openSync } from 'node:fs';
import { setns } from './libc.ts';

/** The thread's own namespace, opened once per thread. */
let ownNamespace: number | null = null;

/** A network namespace held open by a file descriptor, which outlives the processes in it. */
export class NetworkNamespace {
  readonly fd: number;
  readonly #owned: boolean;
  #isOpen = true;

  private constructor(fd: number, owned: boolean) {
    this.fd = fd;
    this.#owned = owned;
  }

  /** Opens e.g. `/proc/<pid>/ns/net`; throws if the process is gone. */
  static open(path: string): NetworkNamespace {
    return new NetworkNamespace(openSync(path, 'r'), true);
  }

  /** The same namespace by a descriptor that another thread keeps open. */
  static borrow(fd: number): NetworkNamespace {
    return new NetworkNamespace(fd, false);
  }

  /** Takes over a descriptor that somebody else opened. */
  static adopt(fd: number): NetworkNamespace {
    return new NetworkNamespace(fd, true);
  }

  /** Tells namespaces apart, together with the device. */
  get inode(): number {
    return fstatSync(this.fd).ino;
  }

  get device(): number {
    return fstatSync(this.fd).dev;
  }

  /**
   * Runs synchronous code with the calling thread inside the namespace. Sockets belong to the namespace they are
   * made in, so nothing asynchronous may start here. A thread that cannot return would leak into a pod: it aborts. Throws
   * once it was closed: the number of the descriptor may stand for another pod's namespace by now.
   */
  run<T>(action: () => T): T {
    if (!this.#isOpen) throw new Error('the proxy of this pod has ended');
    ownNamespace ??= openSync('/proc/thread-self/ns/net', 'r');
    setns(this.fd);
    try {
      return action();
    } finally {
      try {
        setns(ownNamespace);
      } catch {
        process.abort();
      }
    }
  }

  /** Nothing enters it any more. Does nothing the second time. */
  close(): void {
    const isLast = this.#isOpen && this.#owned;
    this.#isOpen = false;
    if (isLast) closeSync(this.fd);
  }
}
