/**
 * Makes `dist/`: one JavaScript file for each program and each of its threads, and for what is loaded later, as images
 * and the sandbox run them. Sources are not run there: Node would need its TypeScript compiler in every thread, and
 * resolve hundreds of files. Plain JavaScript: it runs on the system's Node, too.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const DIST = join(ROOT, 'dist');
/** What the bundles were made from, with hashes; also the packages in each, with bytes. */
const RECORD = join(DIST, 'record.json');
/** Its time is renewed by whoever builds; not a process id, which says nothing to processes of another namespace. */
const LOCK = join(DIST, 'building');

const RENEW_LOCK_MS = 1_000;
const FORGET_LOCK_MS = 30_000;

/** Entries by the name of their folder in `dist/`; the file is called `main.mjs` there. */
const PROGRAMS = {
  ztunnel: 'packages/ztunnel/src/main.ts',
  waypoint: 'packages/waypoint/src/main.ts',
  'control-plane': 'packages/control-plane/src/main.ts',
  analyze: 'packages/control-plane/src/analysis/main.ts',
  cli: 'packages/cli/src/main.ts',
  sandbox: 'packages/sandbox/src/main.ts',
  echo: 'packages/sandbox/src/images/echo/main.ts',
  shop: 'packages/sandbox/src/images/shop/main.ts',
  'open-loop-load': 'packages/sandbox/src/images/open-loop-load/main.ts',
  'load-generator': 'packages/compare/src/load-generator/main.ts',
  'certificate-files': 'packages/control-plane-client/src/certificate-files/main.ts',
};

/** The same package as modules of ECMAScript: of CommonJS, what is imported while a program runs has no names. */
const YAML = join(ROOT, 'node_modules', 'yaml', 'browser', 'dist', 'index.js');

/** Programs that are on every node, or beside every namespace: each megabyte counts. */
const PROXIES = new Set(['ztunnel', 'waypoint', 'certificate-files']);

/** Built from the same versions of everything that they were last built from? */
function bundlesAreCurrent() {
  try {
    const { inputs } = JSON.parse(readFileSync(RECORD, 'utf8'));
    return Object.entries(inputs).every(([file, hash]) => hashOf(file) === hash);
  } catch {
    return false;
  }
}

/** Builds if anything has changed since the last time; `onBuild` is told before it does. */
export async function ensureBundles(onBuild = () => undefined) {
  if (bundlesAreCurrent()) return;
  await beAlone();
  const heldOn = setInterval(() => utimesSync(LOCK, new Date(), new Date()), RENEW_LOCK_MS);
  try {
    // Another process may just have built them.
    if (bundlesAreCurrent()) return;
    onBuild();
    await buildBundles();
  } finally {
    clearInterval(heldOn);
    rmSync(LOCK);
  }
}

/** Waits while another process builds: each would remove files of the other. */
async function beAlone() {
  const mine = `${LOCK}.${randomUUID()}`;
  mkdirSync(DIST, { recursive: true });
  writeFileSync(mine, '');
  while (!takeLock(mine)) await delay(50);
  rmSync(mine);
}

function takeLock(mine) {
  try {
    linkSync(mine, LOCK);
    utimesSync(LOCK, new Date(), new Date());
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    if (isLeftBehind()) rmSync(LOCK, { force: true });
    return false;
  }
}

/** By a process that was ended while it built. */
function isLeftBehind() {
  const { mtimeMs } = statSync(LOCK, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
  return Date.now() - mtimeMs > FORGET_LOCK_MS;
}

function hashOf(file) {
  return hashOfBytes(readFileSync(join(ROOT, file)));
}

function hashOfBytes(bytes) {
  return createHash('sha256').update(bytes).digest('base64');
}

async function buildBundles() {
  // Files that do not pass through `ourSources` count as they are before anything is read.
  const inputs = {};
  for (const file of ['package-lock.json', relative(ROOT, fileURLToPath(import.meta.url))]) {
    inputs[file] = hashOf(file);
  }
  for (const name of readdirSync(join(ROOT, 'packages'), { withFileTypes: true })) {
    const file = `packages/${name.name}/package.json`;
    if (name.isDirectory()) inputs[file] = hashOf(file);
  }
  const { build } = await import('esbuild');
  const built = await Promise.all(
    Object.entries(PROGRAMS).map(([program, entry]) =>
      bundleProgram(build, { program, entry, inputs }),
    ),
  );
  const record = {
    inputs,
    bundles: Object.fromEntries(built.flat().flatMap(contentsOf)),
  };
  const files = new Map(
    built
      .flatMap((results) => results.flatMap(({ outputFiles }) => outputFiles))
      .map(({ path, contents }) => [path, contents]),
  );
  // Without a record, what is left of a build that was ended half-way is not taken for what the record says.
  rmSync(RECORD, { force: true });
  for (const [path, contents] of files) replaceFile(path, contents);
  replaceFile(RECORD, JSON.stringify(record, null, 1));
  for (const file of readdirSync(DIST, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name);
    const isOurs = path === RECORD || path.startsWith(LOCK) || files.has(path);
    // Others that wait take their own files away.
    if (file.isFile() && !isOurs) rmSync(path, { force: true });
  }
}

/** The program, then the threads and processes that its modules start by `new URL('./name.ts', import.meta.url)`. */
async function bundleProgram(build, { program, entry, inputs }) {
  const results = [];
  const entries = new Map([['main', join(ROOT, entry)]]);
  // Grows while it is walked.
  for (const [name, file] of entries) {
    results.push(
      await build({
        entryPoints: [{ in: file, out: name }],
        outdir: join(DIST, program),
        outExtension: { '.js': '.mjs' },
        absWorkingDir: ROOT,
        bundle: true,
        platform: 'node',
        format: 'esm',
        target: 'node26',
        // Names stay, so that stack traces can be read without a map, which would cost memory when an error is logged.
        minifyWhitespace: true,
        minifySyntax: true,
        legalComments: 'none',
        sourcemap: 'linked',
        // What is imported while the program runs is loaded then, such as the commands of the CLI.
        splitting: true,
        chunkNames: 'chunk-[hash]',
        assetNames: '[name]',
        loader: { '.node': 'copy' },
        alias: { yaml: YAML },
        // CommonJS packages require Node's own modules.
        banner: {
          js: `import{createRequire as $createRequire}from'node:module';const require=$createRequire(import.meta.url);`,
        },
        plugins: [
          nativeModules,
          ourSources(entries, inputs),
          ...(PROXIES.has(program) ? [smallParts] : []),
        ],
        metafile: true,
        write: false,
        logLevel: 'warning',
      }),
    );
  }
  return results;
}

/** What our sources say that is put differently in a bundle; and which versions of them were read. */
function ourSources(entries, inputs) {
  const thread = /new URL\('\.\/([\w-]+)\.ts', import\.meta\.url\)/g;
  const builtin = /^import (?!type )(?:\{([^}]*)\}|(\w+)) from '(node:[\w/]+)';$/gm;
  return {
    name: 'our-sources',
    setup({ onLoad }) {
      onLoad({ filter: /\/packages\/[^/]+\/src\/.*\.(ts|json)$/ }, ({ path }) => {
        const text = readFileSync(path, 'utf8');
        noteInput(inputs, relative(ROOT, path), hashOfBytes(text));
        if (path.endsWith('.json')) return { loader: 'json', contents: text };
        const contents = text
          // Threads and processes that a module starts become bundles of their own.
          .replace(thread, (_, name) => {
            entries.set(name, join(dirname(path), `${name}.ts`));
            return `new URL('./${name}.mjs', import.meta.url)`;
          })
          // An import reads every export of Node's module, and with them loads what each stands for: `node:http` has
          // WebSocket, which is all of undici. A thread of ztunnel needs 2 MB less without.
          .replace(builtin, (_, names, whole, module) => {
            const wanted = whole ?? `{ ${valuesOf(names)} }`;
            return `const ${wanted} = process.getBuiltinModule('${module}');`;
          });
        return { loader: 'ts', contents };
      });
    },
  };
}

/** A source that changed between two programs is in no version in all of them, so that the next build is due. */
function noteInput(inputs, file, hash) {
  inputs[file] = (inputs[file] ?? hash) === hash ? hash : 'changed';
}

/** `type A, b, c as d` is `b, c: d`. */
function valuesOf(names) {
  return names
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
    .map((name) => name.replace(' as ', ': '))
    .join(', ');
}

/** Packages that look for a compiled file get the one of this platform, which is copied beside the bundle. */
const nativeModules = {
  name: 'native-modules',
  setup({ onLoad }) {
    const { platform, arch } = process;
    onLoad({ filter: /\/node_modules\/koffi\/index\.js$/ }, () => ({
      contents: `export default require('@koromix/koffi-${platform}-${arch}/${platform}_${arch}/koffi.node');`,
    }));
    onLoad({ filter: /\/node-pty\/requireBinary\.js$/ }, () => ({
      contents: `exports.requireBinary = () => require('@lydell/node-pty-${platform}-${arch}/pty.node');`,
    }));
  },
};

/**
 * Packages of which the proxies use a small part, but load all. A name that is not here fails the build, so that nothing
 * is missing at run time.
 */
const smallParts = {
  name: 'small-parts',
  setup({ onLoad }) {
    const parts = [
      // To write a certificate request; the authority of the control plane needs the rest.
      [
        /\/node-forge\/lib\/index\.js$/,
        "import forge from './forge.js'; import './asn1.js'; export default { asn1: forge.asn1 };",
      ],
      [
        /\/prom-client\/index\.js$/,
        `export { default as Counter } from './lib/counter.js';
         export { default as Gauge } from './lib/gauge.js';
         export { default as Registry } from './lib/registry.js';`,
      ],
      // For services of gRPC that describe itself.
      [/\/@grpc\/proto-loader\/build\/src\/index\.js$/, 'export {};'],
    ];
    for (const [filter, contents] of parts) onLoad({ filter }, () => ({ contents }));
  },
};

/** File names below `dist/`, each with the bytes that every package has in it. */
function contentsOf({ metafile }) {
  return Object.entries(metafile.outputs)
    .filter(([path]) => path.endsWith('.mjs'))
    .map(([path, { inputs }]) => {
      const bytes = {};
      for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
        const name = packageOf(file);
        bytes[name] = (bytes[name] ?? 0) + bytesInOutput;
      }
      return [path.slice('dist/'.length), bytes];
    });
}

function packageOf(file) {
  const [, installed] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file) ?? [];
  if (installed !== undefined) return installed;
  const resources = file.startsWith('packages/model/src/resources/');
  return resources ? '@aquifer/model/resources' : `@aquifer/${file.split('/')[1]}`;
}

/** A process that starts meanwhile reads the old file or the new one, never a part. */
function replaceFile(path, contents) {
  const temporary = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const beganAt = Date.now();
  let isBuilt = false;
  await ensureBundles(() => {
    isBuilt = true;
  });
  console.log(isBuilt ? `built dist/ in ${Date.now() - beganAt} ms` : 'dist/ is current');
}
