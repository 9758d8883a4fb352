/** Some read nothing and some flood: what those beside them notice, against the time without such. */
import { listen } from './audience.ts';
import { apart, crowd, INTACT } from './options.ts';
import { settings } from './settings.ts';

export { send } from './audience.ts';

export const options = crowd({
  ...INTACT,
  load_dropped: ['count==0'],
  ...apart('load_delivery', 'step', [...settings.rates.keys()]),
});

export default function (): Promise<void> {
  return listen();
}
