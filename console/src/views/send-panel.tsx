import { useSignal } from '@preact/signals';
import type { TargetedEvent, TargetedKeyboardEvent } from 'preact';
import { CLIENT_EVENTS } from 'virtual:client-events';
import type { Answer } from '../channel.js';
import { openChat } from '../chat/chat.js';
import { connected, send } from '../connection.js';
import * as draft from '../draft.js';
import { FieldInput } from './field-input.js';

const NAMESPACES = [...new Set(CLIENT_EVENTS.map(({ namespace }) => namespace))];

/** A form for each event of the protocol, made from its schema. */
export function SendPanel() {
  const answer = useSignal<Answer | undefined>(undefined);
  const event = draft.event.value;

  async function submit(submitted: TargetedEvent<HTMLFormElement>): Promise<void> {
    submitted.preventDefault();
    if (event.namespace === '/chat') openChat();
    try {
      answer.value = await send(event.name, draft.payload(), event.namespace);
    } catch (error) {
      answer.value = { error: { message: (error as Error).message } };
    }
  }

  return (
    <section class="card" aria-labelledby="send">
      <h2 id="send">Send an event</h2>
      <form onSubmit={(submitted) => void submit(submitted)} onKeyDown={sendOnCtrlEnter}>
        <label>
          Event
          <select
            value={keyOf(event)}
            onChange={({ currentTarget }) => {
              answer.value = undefined;
              draft.choose(CLIENT_EVENTS.find((one) => keyOf(one) === currentTarget.value)!);
            }}
          >
            {NAMESPACES.map((namespace) => (
              <optgroup key={namespace} label={namespace}>
                {CLIENT_EVENTS.filter((one) => one.namespace === namespace).map((one) => (
                  <option key={one.name} value={keyOf(one)}>
                    {one.name}
                  </option>
                ))}
              </optgroup>
            ))}
          </select>
        </label>
        <p class="hint">
          <Text text={event.summary} /> To: <Text text={event.recipients} />.
        </p>
        {draft.showsJson.value ? <JsonInput /> : <Fields />}
        <div class="actions">
          <button class="primary" disabled={!connected.value} title="Ctrl+Enter">
            Send
          </button>
          {draft.fields.value && (
            <button type="button" aria-pressed={draft.asJson.value} onClick={draft.toggleJson}>
              JSON
            </button>
          )}
          <button type="button" onClick={() => draft.fill(event.example)}>
            Example
          </button>
        </div>
      </form>
      {answer.value && <AnswerBox answer={answer.value} />}
    </section>
  );
}

function keyOf({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace} ${name}`;
}

function sendOnCtrlEnter(event: TargetedKeyboardEvent<HTMLFormElement>): void {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey))
    event.currentTarget.requestSubmit();
}

function Fields() {
  return (
    <>
      {draft.fields.value?.map((field) => (
        <FieldInput
          key={`${keyOf(draft.event.value)} ${field.name}`}
          field={field}
          value={draft.values.value[field.name] ?? ''}
          onChange={(text) => (draft.values.value = { ...draft.values.value, [field.name]: text })}
        />
      ))}
    </>
  );
}

function JsonInput() {
  return (
    <label>
      Payload (JSON)
      <textarea
        class="code"
        rows={6}
        spellcheck={false}
        value={draft.json}
        onInput={({ currentTarget }) => (draft.json.value = currentTarget.value)}
      />
    </label>
  );
}

function AnswerBox({ answer }: { answer: Answer }) {
  const { error, data } = answer;
  return (
    <div class={error ? 'reply failed' : 'reply'} role="status">
      {error ? (
        <p>
          {error.message} {error.code && <code>{error.code}</code>}
        </p>
      ) : (
        <pre tabIndex={0} aria-label="Answer">
          {JSON.stringify(data, null, 2)}
        </pre>
      )}
    </div>
  );
}

/** A sentence of the reference, in which names stand between backticks. */
function Text({ text }: { text: string }) {
  return (
    <>
      {text
        .split('`')
        .map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}
    </>
  );
}
