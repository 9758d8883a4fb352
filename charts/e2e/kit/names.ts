import dns from 'node:dns';
import { setting } from './settings.ts';

/** Where the names of the tests end; nobody owns it (RFC 6761). */
export const DOMAIN = 'streamgate.test';

/** Other ways in than the ingress of the cluster, by host name. */
const addresses = new Map<string, string>();

/** Lets this process reach a host name at an address; all others of the domain are at the ingress. */
export function at(host: string, address: string): void {
  addresses.set(host, address);
}

const ask = dns.lookup;

// Every client of Node asks here: net, tls, fetch.
dns.lookup = ((host: string, options: unknown, callback: unknown) => {
  const inside = host === DOMAIN || host.endsWith(`.${DOMAIN}`);
  const known = addresses.get(host) ?? (inside ? setting('E2E_INGRESS') : host);
  return (ask as (...args: unknown[]) => void)(known, options, callback);
}) as typeof dns.lookup;
