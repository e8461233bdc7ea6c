/**
 * Tests that did not run, and why. What `npm test` installs is never a reason; what it cannot install is one while it is
 * missing. Any other skipped test is a failure where `CI` is set, so that none disappears without a word.
 */
import { spawnSync } from 'node:child_process';
import { relative } from 'node:path';
import { isCompiledGoProgram } from './go-programs.mjs';

function hasProgram(name) {
  return spawnSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' }).status === 0;
}

/** Files whose tests may be skipped, and the reason if there is one on this machine. */
const REASONS = [
  {
    files: /./,
    because: 'they need root',
    holds: () => process.getuid?.() !== 0,
  },
  {
    files: /go-client|nri-plugin|start-gate|l7-grpc-go|grpc-go|\bgo\b/,
    because: 'Go is not installed',
    holds: () => !hasProgram('go'),
  },
  {
    files: /kubernetes-clients/,
    because: 'Go has not compiled client-go: npm run conformance -- --against client-go',
    holds: () => !isCompiledGoProgram('kubernetes-client'),
  },
  {
    files: /crd-validation/,
    because:
      "Go has not compiled an API server's validation: npm run conformance -- --against kube-apiserver",
    holds: () => !isCompiledGoProgram('crd-validation'),
  },
  {
    files: /http2-peers/,
    because: "nghttp2's programs are not installed",
    holds: () => !hasProgram('nghttpd') || !hasProgram('h2load'),
  },
  {
    files: /l7-smuggling/,
    because: 'nginx and HAProxy are not installed',
    holds: () => !hasProgram('nginx') || !hasProgram('haproxy'),
  },
];

/** Prints what the reports of vitest say of skipped tests; false if one has no reason that counts. */
export function explainSkipped(reports) {
  const counts = new Map();
  const unexplained = [];
  for (const { name, assertionResults } of reports.flatMap(({ testResults }) => testResults)) {
    const file = relative(process.cwd(), name);
    const skipped = assertionResults.filter(({ status }) => status === 'skipped');
    if (skipped.length === 0) continue;
    const reason = REASONS.find(({ files, holds }) => files.test(file) && holds());
    if (reason === undefined)
      unexplained.push(...skipped.map((test) => `${file}: ${test.fullName}`));
    else counts.set(reason.because, (counts.get(reason.because) ?? 0) + skipped.length);
  }
  for (const [because, count] of counts) console.log(`${count} tests skipped: ${because}`);
  if (unexplained.length === 0) return true;
  console.log(`\n${unexplained.length} tests skipped without a reason that counts:`);
  for (const test of unexplained) console.log(`  ${test}`);
  return false;
}
