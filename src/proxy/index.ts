/** `bough/proxy`: many servers as one. */
export { type ProxyOptions, type ProxyServer, proxy } from './proxy.ts'
export type { UpstreamOptions, UpstreamStatus } from './upstream.ts'
