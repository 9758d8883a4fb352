/** People whose network goes for 0.5 to 10 s at random: what they miss, have twice, and when they are back. */
import { listen } from './audience.ts';
import { crowd, INTACT } from './options.ts';

export { send } from './audience.ts';

export const options = crowd({
  ...INTACT,
  load_recovered: ['rate>0.99'],
});

export default function (): Promise<void> {
  return listen();
}
