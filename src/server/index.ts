/** `bough/server`: an MCP server, defined, served, or as a tree. */
export { application } from './application.ts'
export type { ApplicationOptions, ServeOptions } from './options.ts'
export type { LimitsOptions, PressureOptions, RateOptions } from './overload-options.ts'
export { type App, serve, type TreeNode } from './serve.ts'
export { createServer, type Server, type ServerOptions } from './server.ts'
