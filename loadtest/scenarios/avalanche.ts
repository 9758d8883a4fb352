/** Every node is replaced under load, one after the other: who is thrown out, and when all are back. */
import { listen } from './audience.ts';
import { crowd, INTACT } from './options.ts';

export { send } from './audience.ts';

export const options = crowd({
  ...INTACT,
  load_recovered: ['rate>0.99'],
  load_back: ['p(95)<3000'],
});

export default function (): Promise<void> {
  return listen();
}
