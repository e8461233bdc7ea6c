/** The shop: a client on node 1, a server on node 2, another client, and a pod outside of the mesh. */
const SERVER_IDENTITY = `
            - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
            - {name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
            - {name: SERVICE_ACCOUNT, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}`;

function server(version: string): string {
  return `
apiVersion: apps/v1
kind: Deployment
metadata: {name: server-${version}, namespace: shop}
spec:
  selector: {matchLabels: {app: server, version: ${version}}}
  template:
    metadata: {labels: {app: server, version: ${version}}}
    spec:
      nodeSelector: {kubernetes.io/hostname: node-2}
      serviceAccountName: server
      containers:
        - name: echo
          image: aquifer/echo:dev
          ports: [{containerPort: 8080}, {containerPort: 9090}]
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
          env:
            - {name: VERSION, value: ${version}}${SERVER_IDENTITY}
---
apiVersion: v1
kind: Service
metadata: {name: server-${version}, namespace: shop}
spec:
  selector: {app: server, version: ${version}}
  ports: [{name: http, port: 80, targetPort: 8080}]`;
}

function client(name: string, namespace: string): string {
  return `
apiVersion: v1
kind: ServiceAccount
metadata: {name: ${name}, namespace: ${namespace}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      nodeSelector: {kubernetes.io/hostname: node-1}
      serviceAccountName: ${name}
      terminationGracePeriodSeconds: 1
      containers:
        - {name: curl, image: curlimages/curl:8.11.0, command: [sleep, infinity]}`;
}

export const SHOP = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: outside}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: server, namespace: shop}
---${server('v1')}
---
apiVersion: v1
kind: Service
metadata: {name: server, namespace: shop}
spec:
  selector: {app: server}
  ports:
    - {name: http, port: 80, targetPort: 8080}
    - {name: tcp-echo, port: 9090, targetPort: 9090}
---${client('client', 'shop')}
---${client('other', 'shop')}
---${client('outsider', 'outside')}
`;

export const SERVER_V2 = server('v2');

export const STRICT = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: {mtls: {mode: STRICT}}
`;

export const ALLOW_CLIENT = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-client, namespace: shop}
spec:
  selector: {matchLabels: {app: server}}
  action: ALLOW
  rules:
    - from: [{source: {principals: [cluster.local/ns/shop/sa/client]}}]
`;

export const ROUTE = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: server, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: server, port: 80}]
  rules:
    - matches: [{headers: [{name: x-version, value: v2}]}]
      backendRefs: [{name: server-v2, port: 80}]
    - backendRefs:
        - {name: server-v1, port: 80, weight: 90}
        - {name: server-v2, port: 80, weight: 10}
      retry: {codes: [503], attempts: 2}
`;

export const DENY_DELETE = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-delete, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: server}]
  action: DENY
  rules:
    - to: [{operation: {methods: [DELETE], paths: [/items/*]}}]
      from: [{source: {principals: [cluster.local/ns/shop/sa/client]}}]
`;
