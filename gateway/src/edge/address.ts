import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import proxyaddr from 'proxy-addr';
import { ConfigError } from '../config.js';

/** Bytes of X-Forwarded-For that are looked at, from its end. */
const HEADER_MAX = 2_000;

/**
 * Makes the function that tells a request's client address: the nearest one that is not a trusted
 * proxy, as far as X-Forwarded-For can be believed and read. IPv4-mapped addresses become IPv4.
 * @param trustedProxies addresses, networks, or `loopback`, `linklocal`, `uniquelocal`
 * @throws ConfigError that names the variable when one of them is none of these
 */
export function clientAddresses(
  trustedProxies: readonly string[],
): (request: IncomingMessage) => string {
  const trusted = compile(trustedProxies);
  return (request) => {
    let address = unmapped(request.socket.remoteAddress ?? '');
    const header = request.headers['x-forwarded-for'];
    if (typeof header !== 'string' || !trusted(address, 0)) return address;
    // Each proxy appends whom it spoke to: the last entry is the one the nearest proxy wrote.
    const hops = header.slice(-HEADER_MAX).split(',').toReversed();
    for (const hop of hops) {
      const next = unmapped(withoutPort(hop.trim()));
      if (next === '') break;
      address = next;
      if (!trusted(address, 0)) break;
    }
    return address;
  };
}

/** What addresses are counted by: an IPv6 client has a whole /64 to choose from. */
export function addressKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const { parts } = ipaddr.IPv6.parse(address);
  const network = parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(':')}::/64`;
}

function compile(trustedProxies: readonly string[]): ReturnType<typeof proxyaddr.compile> {
  try {
    return proxyaddr.compile([...trustedProxies]);
  } catch (error) {
    throw new ConfigError([`STREAMGATE_TRUSTED_PROXIES: ${(error as Error).message}`]);
  }
}

/** The address in its usual form; empty when it is none. */
function unmapped(address: string): string {
  return isIP(address) === 0 ? '' : ipaddr.process(address).toString();
}

/** Some proxies write `1.2.3.4:5678` or `[::1]:5678`. */
function withoutPort(hop: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop;
}
