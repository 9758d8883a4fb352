import { X509Certificate, createPrivateKey } from 'node:crypto';
import { z } from 'zod';
import proxyAddr from 'proxy-addr';
import { pemKey } from './edge/verification-key.js';

/** How the text of a variable is read. No message repeats the text: it may be a secret. */

/** A name in the environment: how it is read, and what people are told of it. */
export interface Variable {
  readonly schema: z.ZodType;
  /** As it would be written in the environment; undefined: none. */
  readonly default?: string;
  /** Makes of a secret what may be shown. */
  readonly mask?: (value: string) => string;
  readonly help: string;
}

/** A whole number; hexadecimal, exponents and blanks are typing errors here. */
export const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));

export const port = whole(0, 65_535);

export const text = z.string();

export const flag = z
  .enum(['true', 'false', '1', '0'], { error: 'must be true or false' })
  .transform((value) => value === 'true' || value === '1');

export const oneOf = <const Names extends readonly [string, ...string[]]>(...names: Names) =>
  z.enum(names, { error: `must be ${names.join(', ').replace(/, ([^,]*)$/, ' or $1')}` });

/** Separated by commas, at least one. */
export const list = z
  .string()
  .transform((value) =>
    value
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean),
  )
  .pipe(z.array(z.string()).min(1, 'must name at least one'));

/** Separated by commas, each one of the names. */
export const listOf = <const Names extends readonly [string, ...string[]]>(...names: Names) =>
  list.pipe(z.array(z.enum(names, { error: `must be among ${names.join(', ')}` })));

export const brokers = list.refine((items) => items.every(isHostAndPort), {
  error: 'must be host:port,host:port',
});

export const origins = list.refine(
  (items) => items.every((item) => item === '*' || isOrigin(item)),
  {
    error: 'must be origins, as https://app.example.com (no path, no slash at the end), or *',
  },
);

export const proxies = list.refine(
  (items) => accepts(() => proxyAddr.compile(items)),
  'must be addresses, networks as 10.0.0.0/8, loopback, linklocal or uniquelocal',
);

export const publicKey = z.string().superRefine((pem, context) => {
  try {
    pemKey(pem);
  } catch (error) {
    // Its messages say what is wrong and never show the text.
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

export const privateKey = z
  .string()
  .refine(
    (pem) => accepts(() => createPrivateKey(pem)),
    'must be a private key without passphrase',
  );

export const certificates = z
  .string()
  .refine((pem) => accepts(() => new X509Certificate(pem)), 'must be certificates');

export const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' });

const SENTINEL = /^rediss?\+sentinel:\/\/(?:[^@]*@)?[^/,\s]+(?:,[^/,\s]+)*\/[^/\s]+(?:\/\d+)?\/?$/;

export const redisUrl = z.string().superRefine((url, context) => {
  const fault = redisUrlFault(url);
  if (fault) context.addIssue({ code: 'custom', message: fault });
});

function redisUrlFault(url: string): string | undefined {
  const scheme = /^([\w+]+):\/\//.exec(url)?.[1]?.toLowerCase() ?? '';
  if (scheme.includes('cluster')) return 'a Redis Cluster is not supported in this version';
  if (scheme.includes('+sentinel'))
    return SENTINEL.test(url)
      ? undefined
      : 'must be redis+sentinel://[user:password@]host:port,host:port/master[/db]';
  if (scheme !== 'redis' && scheme !== 'rediss')
    return 'must be redis://, rediss:// or redis+sentinel://';
  const { hostname, pathname } = URL.parse(url) ?? { hostname: '', pathname: '' };
  return hostname && /^\/?\d*$/.test(pathname)
    ? undefined
    : 'must be redis://[user:password@]host:port/db; special characters of the password as %XX';
}

export const postgresUrl = z.string().refine(isPostgresUrl, {
  error:
    'must be postgres://user:password@host:port/database; special characters of the password as %XX',
});

function isPostgresUrl(value: string): boolean {
  const url = URL.parse(value);
  return (
    url !== null &&
    /^postgres(ql)?:$/.test(url.protocol) &&
    url.hostname !== '' &&
    /^\/[^/]+$/.test(url.pathname)
  );
}

function isHostAndPort(value: string): boolean {
  const url = URL.parse(`kafka://${value}`);
  return url !== null && url.port !== '' && url.host === value.toLowerCase();
}

/** Browsers send the scheme's own port never, and app shells have schemes of their own. */
function isOrigin(value: string): boolean {
  if (/^https?:/i.test(value)) return URL.parse(value)?.origin === value;
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/.test(value);
}

function accepts(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

/** The form in which a secret is shown. */
export const hidden = (): string => '********';

/** A URL without its password; what stands before the last `@` is taken for user and password. */
export const hiddenPassword = (url: string): string =>
  url
    .replace(/^([\w+]+:\/\/)(?:([^:@]*):)?(.*)@/s, (_, scheme: string, user?: string) =>
      user === undefined ? `${scheme}${hidden()}@` : `${scheme}${user}:${hidden()}@`,
    )
    .replace(/\?.*$/s, `?${hidden()}`);
