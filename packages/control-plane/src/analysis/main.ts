/** Judges the objects on standard input, a JSON list, and writes messages about them to standard output, as JSON. */
import { json } from 'node:stream/consumers';
import { analyze } from './analyze.ts';
import type { WrittenObject } from './shape-messages.ts';

const objects = (await json(process.stdin)) as readonly WrittenObject[];
process.stdout.write(JSON.stringify(analyze(objects)));
