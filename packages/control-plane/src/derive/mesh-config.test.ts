import { expect, test } from 'vitest';
import { NO_MESH_CONFIG, parseMeshConfig } from './mesh-config.ts';
import { USUAL_START } from './proxy-start.ts';
import { USUAL_TELEMETRY } from './telemetry/mesh-telemetry.ts';

test('what is not read is named by its path, once it is there', () => {
  const text = `
trustDomain: corp.example
accessLogFile: /dev/stdout
defaultConfig: {discoveryAddress: istiod.istio-system.svc:15012}
serviceEntryVisibility:
  defaultVisibility: NAMESPACE
  strictness: high
  policies:
  - visibility: NONE
    comment: why
    matchingRules: [{namespaceSelector: {matchLabels: {tier: 'off'}}, hosts: [a]}]
`;
  expect(parseMeshConfig(text)).toEqual({
    trustDomain: 'corp.example',
    rootNamespace: null,
    outboundTrafficPolicy: 'ALLOW_ANY',
    serviceEntryVisibility: {
      defaultVisibility: 'NAMESPACE',
      policies: [{ visibility: 'NONE', namespaceSelectors: [{ matchLabels: { tier: 'off' } }] }],
    },
    extensionProviders: [],
    telemetry: USUAL_TELEMETRY,
    proxies: USUAL_START,
    unread: [
      'defaultConfig.discoveryAddress',
      'serviceEntryVisibility.policies[0].comment',
      'serviceEntryVisibility.policies[0].matchingRules[0].hosts',
      'serviceEntryVisibility.strictness',
    ],
  });
});

test.for(['', '# nothing', '{}', 'trustDomain: ""'])('%j configures nothing', (text) => {
  const telemetry = { ...USUAL_TELEMETRY, accessLogFile: null };
  expect(parseMeshConfig(text)).toEqual({ ...NO_MESH_CONFIG, telemetry });
});

test.for([
  { text: 'trustDomain: [a]', problem: 'trustDomain is no text' },
  { text: '- a', problem: 'is no object' },
  { text: 'serviceEntryVisibility: {policies: {}}', problem: 'policies is no list' },
  {
    text: 'serviceEntryVisibility: {policies: [{visibility: SOME}]}',
    problem:
      'serviceEntryVisibility.policies[0].visibility is none of PUBLIC, NAMESPACE, NONE: SOME',
  },
  { text: 'trustDomain: "', problem: 'quoted scalar' },
])('$text is refused, and it is said why', ({ text, problem }) => {
  expect(() => parseMeshConfig(text)).toThrow(problem);
});

test('of telemetry it is read what holds where no Telemetry does', () => {
  const { telemetry, unread } = parseMeshConfig(`
accessLogFile: /dev/stderr
accessLogEncoding: JSON
accessLogFormat: '{"code": "%RESPONSE_CODE%", "of": {"all": 1}}'
enableTracing: true
defaultProviders: {accessLogging: [envoy], metrics: [prometheus], tracing: [zip]}
defaultConfig:
  meshId: one
  tracing:
    sampling: 12.5
    maxPathTagLength: 32
    customTags: {a: {literal: {value: b}}, c: {header: {name: x-c}}, d: {}}
`);
  expect(unread).toEqual([]);
  expect(telemetry).toEqual({
    accessLogFile: '/dev/stderr',
    accessLogFormat: { kind: 'json', members: { code: '%RESPONSE_CODE%', of: { all: 1 } } },
    defaultProviders: { accessLogging: ['envoy'], metrics: ['prometheus'], tracing: ['zip'] },
    samplingPercent: 12.5,
    customTags: {
      a: { kind: 'literal', value: 'b' },
      c: { kind: 'header', name: 'x-c', default: '' },
    },
    maxTagLength: 32,
    meshId: 'one',
  });
});

test.for([
  ['accessLogEncoding: XML', 'accessLogEncoding is neither TEXT nor JSON: XML'],
  ['{accessLogEncoding: JSON, accessLogFormat: "%PATH%"}', 'accessLogFormat is no JSON object'],
])('%s is refused', ([text, problem]) => {
  expect(() => parseMeshConfig(text!)).toThrow(problem);
});
