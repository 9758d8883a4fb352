/** The load of `unicast` for hours: does memory grow, and does anything become slower? The runner looks at that. */
export { default, options, send } from './unicast.ts';
