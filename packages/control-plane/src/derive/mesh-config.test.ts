import { expect, test } from 'vitest';
import { NO_MESH_CONFIG, parseMeshConfig } from './mesh-config.ts';

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
    unread: [
      'accessLogFile',
      'defaultConfig',
      'serviceEntryVisibility.policies[0].comment',
      'serviceEntryVisibility.policies[0].matchingRules[0].hosts',
      'serviceEntryVisibility.strictness',
    ],
  });
});

test.for(['', '# nothing', '{}', 'trustDomain: ""'])('%j configures nothing', (text) => {
  expect(parseMeshConfig(text)).toEqual(NO_MESH_CONFIG);
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
