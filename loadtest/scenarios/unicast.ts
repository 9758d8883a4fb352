/** Services write to one person each: how long until it hears, at several rates. */
import { listen } from './audience.ts';
import { apart, crowd, INTACT } from './options.ts';
import { settings } from './settings.ts';

export { send } from './audience.ts';

export const options = crowd({
  ...INTACT,
  load_delivery: [`p(99)<${settings.deliveryMs}`],
  ...apart('load_delivery', 'step', [...settings.rates.keys()]),
});

export default function (): Promise<void> {
  return listen();
}
