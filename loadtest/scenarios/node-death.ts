/** A node is killed under load: the same questions, and who is still said to be there that is not. */
import { listen } from './audience.ts';
import { crowd, INTACT } from './options.ts';

export { send } from './audience.ts';

/** Every so many-th who loses its connection never comes back: nobody told the dead node. */
const LEAVES = 5;

export const options = crowd({
  ...INTACT,
  load_recovered: ['rate>0.99'],
  load_back: ['p(95)<5000'],
});

export default function (): Promise<void> {
  return listen(LEAVES);
}
