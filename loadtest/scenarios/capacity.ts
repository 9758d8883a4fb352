/** A number of people with an event each now and then: does one node carry them within the SLO? */
import { listen } from './audience.ts';
import { crowd, INTACT } from './options.ts';

export { send } from './audience.ts';

export const options = crowd({
  ...INTACT,
  load_connect: ['p(99)<1000'],
  load_delivery: ['p(99)<250'],
});

export default function (): Promise<void> {
  return listen();
}
