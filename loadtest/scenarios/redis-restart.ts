/** Redis is killed under load and comes back with its data: nobody is thrown out and nothing is lost. */
import { listen } from './audience.ts';
import { crowd, INTACT } from './options.ts';

export { send } from './audience.ts';

export const options = crowd({ ...INTACT, load_dropped: ['count==0'] });

export default function (): Promise<void> {
  return listen();
}
