/** How what several servers call their things is told apart by clients of the proxy. */

/** A name behind the one of its upstream. */
export function prefixed(upstream: string, separator: string, name: string): string {
  return `${upstream}${separator}${name}`
}

/** A URI, or a template, behind the name of its upstream: `git+file:///x`. What a scheme may not hold becomes a hyphen. */
export function prefixedUri(upstream: string, uri: string): string {
  return `${schemeOf(upstream)}+${uri}`
}

/** The URI without the name of its upstream, where that stands before it. */
export function unprefixedUri(upstream: string, uri: string): string {
  const start = `${schemeOf(upstream)}+`
  return uri.startsWith(start) ? uri.slice(start.length) : uri
}

function schemeOf(upstream: string): string {
  const scheme = upstream.toLowerCase().replace(/[^a-z0-9-]/g, '-')
  return /^[a-z]/.test(scheme) ? scheme : `x${scheme}`
}
