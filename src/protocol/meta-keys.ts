/**
 * The keys of `_meta` that the protocol itself defines.
 *
 * Spec: MCP 2026-07-28, basic, `_meta`, reserved keys.
 */
export const protocolVersionKey = 'io.modelcontextprotocol/protocolVersion'
export const clientInfoKey = 'io.modelcontextprotocol/clientInfo'
export const clientCapabilitiesKey = 'io.modelcontextprotocol/clientCapabilities'
export const logLevelKey = 'io.modelcontextprotocol/logLevel'
export const serverInfoKey = 'io.modelcontextprotocol/serverInfo'
export const subscriptionIdKey = 'io.modelcontextprotocol/subscriptionId'
