import { computed, signal } from '@preact/signals';
import { CLIENT_EVENTS } from 'virtual:client-events';
import type { ClientEvent, Json } from './client-event.js';
import { type Draft, draftOf, fieldsOf, payloadOf } from './fields.js';

/** The event that the form is for. */
export const event = signal<ClientEvent>(CLIENT_EVENTS[0]!);
export const fields = computed(() => fieldsOf(event.value.schema));
/** JSON is edited as it stands; always, where there are no fields. */
export const asJson = signal(false);
export const showsJson = computed(() => asJson.value || !fields.value);

export const values = signal<Draft>({});
export const json = signal('');

/** Takes an event into the form, filled in with its example or with `payload`. */
export function choose(chosen: ClientEvent, filled: Json = chosen.example): void {
  event.value = chosen;
  fill(filled);
}

/** As `choose`, by name. */
export function chooseNamed(namespace: string, name: string, filled?: Json): void {
  const found = CLIENT_EVENTS.find((one) => one.namespace === namespace && one.name === name);
  if (found) choose(found, filled);
}

/** Goes from fields to JSON or back with what stands there, as far as it can be read. */
export function toggleJson(): void {
  const typed = tryPayload();
  asJson.value = !asJson.value;
  if (typed !== undefined) fill(typed);
}

/** What would be sent. @throws SyntaxError that says where it is no JSON */
export function payload(): Json | undefined {
  if (!showsJson.value) return payloadOf(fields.value ?? [], values.value);
  return json.value.trim() === '' ? undefined : (JSON.parse(json.value) as Json);
}

export function fill(filled: Json): void {
  values.value = draftOf(fields.value ?? [], filled);
  json.value = filled === null ? '' : JSON.stringify(filled, null, 2);
}

function tryPayload(): Json | undefined {
  try {
    return payload();
  } catch {
    return undefined; // half typed: it stays where it was typed
  }
}

choose(event.value);
