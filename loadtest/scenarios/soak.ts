/** The same load for hours: does memory grow, and does anything become slower? */
import { listen } from './audience.ts';
import { apart, crowd, INTACT } from './options.ts';
import { settings } from './settings.ts';

export { send } from './audience.ts';

export const options = crowd({
  ...INTACT,
  load_delivery: ['p(99)<250'],
  ...apart('load_delivery', 'step', [...settings.rates.keys()]),
});

export default function (): Promise<void> {
  return listen();
}
