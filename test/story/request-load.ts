import type { Kubectl } from './kubectl.ts';
import { PodProgram, type PodTarget } from './pod-program.ts';

const THREADS = 4;
/** Between two requests of a thread. */
const PAUSE_SECONDS = 0.02;

/**
 * New connections, a request on each, from several threads, until the input ends and so many requests were made.
 * Prints `begun` after the first answer and a JSON line at the end.
 */
const LOAD = `
import http.client, json, sys, threading, time
url, fewest = sys.argv[1], int(sys.argv[2])
ended = threading.Event()
lock = threading.Lock()
succeeded, failed = 0, []

def requests():
    global succeeded
    while not (ended.is_set() and succeeded + len(failed) >= fewest):
        began = time.time()
        try:
            connection = http.client.HTTPConnection(url, 80, timeout=10)
            connection.request('GET', '/')
            answer = connection.getresponse()
            answer.read()
            connection.close()
            problem = None if answer.status == 200 else 'status %d' % answer.status
        except Exception as e:
            problem = repr(e)
        with lock:
            if problem is None:
                succeeded += 1
                if succeeded == 1: print('begun', flush=True)
            else:
                failed.append('%s after %.2f s' % (problem, time.time() - began))
                if len(failed) > 1000: return
        time.sleep(${PAUSE_SECONDS})

threads = [threading.Thread(target=requests) for _ in range(${THREADS})]
for thread in threads: thread.start()
sys.stdin.read()
ended.set()
for thread in threads: thread.join()
print(json.dumps({'succeeded': succeeded, 'failed': failed}), flush=True)
`;

/** What became of a load. `failed` says of each request that failed why, and after how long. */
export interface LoadResult {
  readonly succeeded: number;
  readonly failed: readonly string[];
}

/** A pod that makes requests to the server, each on a connection of its own, until it is told to end. */
export class RequestLoad implements Disposable {
  readonly #program: PodProgram;

  private constructor(program: PodProgram) {
    this.#program = program;
  }

  /** Resolves after the first answer. Throws with what happened instead. */
  static async begin(kubectl: Kubectl, pod: PodTarget, fewest: number): Promise<RequestLoad> {
    const program = [LOAD, 'server.shop', String(fewest)];
    return new RequestLoad(await PodProgram.start(kubectl, pod, { program, saysFirst: 'begun' }));
  }

  /** Lets it end as soon as it has made its fewest requests. */
  async finish(): Promise<LoadResult> {
    this.#program.finish();
    const output = await this.#program.output();
    const [line] = /^\{.*\}$/m.exec(output) ?? [];
    if (line === undefined) throw new Error(`the load broke off: ${output.trim()}`);
    return JSON.parse(line) as LoadResult;
  }

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }
}
