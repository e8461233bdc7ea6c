import { once } from 'node:events';
import { parentPort, Worker } from 'node:worker_threads';
import { keepCompiledCode } from './compile-cache.ts';
import { giveBackWhenIdle } from './give-back.ts';
import { shareLogOutput } from './log-output.ts';

type ToThread =
  | { readonly kind: 'tell'; readonly message: unknown }
  | { readonly kind: 'ask'; readonly id: number; readonly question: unknown }
  | { readonly kind: 'end' };

type FromThread =
  | { readonly kind: 'event'; readonly event: unknown }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly message: string };

/**
 * Young objects of a data plane die with their request. A small nursery for them stays in the processor's cache, and a
 * burst of connections does not leave 16 MB of it behind: 8 to 13 KiB for each idle connection became 7.
 */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 12 };

/** A thread that is told to end writes its last log lines, which has a shorter limit of its own. */
const END_MS = 1_000;

export interface ThreadPoolOptions<Event> {
  readonly script: URL;
  readonly threads: number;
  /** What each thread is started with; must survive structured cloning. */
  readonly workerData: unknown;
  readonly onEvent: (event: Event) => void;
  /** A thread ended although nobody asked it to. */
  readonly onLost: (error: Error) => void;
}

/** Threads that run the same script. What is sent reaches every thread, in order. */
export class ThreadPool<Message, Question, Event> {
  readonly #workers: readonly Worker[];
  readonly #open = new Map<number, PromiseWithResolvers<unknown>>();
  #nextId = 1;
  #stopping = false;

  constructor(options: ThreadPoolOptions<Event>) {
    const { script, threads, workerData } = options;
    shareLogOutput();
    this.#workers = Array.from({ length: threads }, () => {
      const worker = new Worker(script, { workerData, resourceLimits: RESOURCE_LIMITS });
      worker.on('message', (message: FromThread) => this.#receive(message, options.onEvent));
      worker.on('error', (error) => options.onLost(error as Error));
      worker.on('exit', (code) => {
        if (!this.#stopping) options.onLost(new Error(`a thread ended with ${code}`));
      });
      return worker;
    });
  }

  tell(message: Message): void {
    for (const worker of this.#workers) this.#post(worker, { kind: 'tell', message });
  }

  /** One answer per thread; rejects with the first failure. */
  ask(question: Question): Promise<unknown[]> {
    return Promise.all(
      this.#workers.map((worker) => {
        const id = this.#nextId++;
        const answer = Promise.withResolvers<unknown>();
        this.#open.set(id, answer);
        this.#post(worker, { kind: 'ask', id, question });
        return answer.promise;
      }),
    );
  }

  /** Ends the threads, each after its last log lines. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#workers.map(async (worker) => {
        const limit = setTimeout(() => void worker.terminate(), END_MS);
        const ended = once(worker, 'exit');
        this.#post(worker, { kind: 'end' });
        await ended;
        clearTimeout(limit);
      }),
    );
  }

  #post(worker: Worker, message: ToThread): void {
    worker.postMessage(message);
  }

  #receive(message: FromThread, onEvent: (event: Event) => void): void {
    if (message.kind === 'event') {
      onEvent(message.event as Event);
      return;
    }
    const answer = this.#open.get(message.id);
    this.#open.delete(message.id);
    if (message.kind === 'answer') answer?.resolve(message.value);
    else answer?.reject(new Error(message.message));
  }
}

/** The thread's side: takes messages and questions, and returns how to send events to the main thread. */
export function serveThread<Message, Question, Event>(handlers: {
  readonly onMessage: (message: Message) => void;
  /** What it throws becomes the asker's error; a promise is waited for. */
  readonly onQuestion: (question: Question) => unknown;
  /** After this thread has given memory back; see `giveBackWhenIdle`. */
  readonly onGivenBack?: () => void;
}): (event: Event) => void {
  const send = (message: FromThread): void => parentPort?.postMessage(message);
  keepCompiledCode();
  giveBackWhenIdle(handlers.onGivenBack);
  parentPort?.on('message', (message: ToThread) => {
    // Of a thread: the process goes on.
    if (message.kind === 'end') process.exit();
    if (message.kind === 'tell') {
      handlers.onMessage(message.message as Message);
      return;
    }
    const { id } = message;
    Promise.try(handlers.onQuestion, message.question as Question)
      .then((value) => send({ kind: 'answer', id, value: value ?? null }))
      .catch((error: Error) => send({ kind: 'failure', id, message: error.message }));
  });
  return (event) => send({ kind: 'event', event });
}
