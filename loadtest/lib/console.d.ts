/** Of k6, but missing in its types; the DOM's would bring along much that k6 does not have. */
declare const console: Record<
  'debug' | 'error' | 'info' | 'log' | 'warn',
  (...args: unknown[]) => void
>;
