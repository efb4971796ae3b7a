/**
 * What of a network address stands for one party: an IPv4 address as a whole, of an IPv6 address its first 64 bits, since whoever
 * has one address of a /64 has them all. Source: RFC 4291, section 2.5.4; RFC 6177.
 */

/** Groups of an IPv6 address that name its network. */
const NETWORK_GROUPS = 4

/** The part of `address` that a limit is kept for. IPv4 in IPv6 is IPv4; what is no IPv6 address is returned as it is. */
export function partyOf(address: string): string {
  if (!address.includes(':')) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped?.[1] !== undefined) return mapped[1]
  const [plain = ''] = address.toLowerCase().split('%')
  const [head = '', tail] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const rest = tail === '' ? 0 : tail.split(':').length
    while (groups.length + rest < 8) groups.push('0')
  }
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => group.replace(/^0+(?=.)/, ''))
  return `${network.join(':')}::/64`
}
