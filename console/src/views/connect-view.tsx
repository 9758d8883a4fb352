import { useSignal } from '@preact/signals';
import type { TargetedSubmitEvent } from 'preact';
import { connect } from '../connection.js';
import { type Identity, identity, settings } from '../identity.js';

/** Asks who connects: a name where this node makes tokens, else a token. */
export function ConnectView() {
  const makes = settings.value?.tokens;
  return (
    <div class="connect">
      {makes && <NameForm />}
      <TokenForm open={makes === false || identity.value?.kind === 'token'} />
      {makes === false && settings.value?.mode === 'development' && (
        <p class="hint">
          Tokens are made for the page on the gateway&rsquo;s own machine only, and where it has the
          secret. <code>make run</code> prints some to paste.
        </p>
      )}
    </div>
  );
}

function NameForm() {
  const name = useSignal('alice');
  const roles = useSignal('');
  return (
    <form
      class="card"
      onSubmit={(event) =>
        begin(event, {
          kind: 'made',
          userId: name.value.trim(),
          roles: roles.value.split(/[\s,]+/).filter(Boolean),
        })
      }
    >
      <h2>Connect as somebody</h2>
      <p class="hint">This gateway runs in development mode and makes a token for any name.</p>
      <label>
        User
        <input
          required
          maxLength={200}
          pattern=".*\S.*"
          autocomplete="off"
          value={name}
          onInput={({ currentTarget }) => (name.value = currentTarget.value)}
        />
      </label>
      <label>
        Roles
        <input
          placeholder="none; or admin, teacher"
          autocomplete="off"
          value={roles}
          onInput={({ currentTarget }) => (roles.value = currentTarget.value)}
        />
      </label>
      <button class="primary">Connect</button>
    </form>
  );
}

function TokenForm({ open }: { open: boolean }) {
  const token = useSignal('');
  return (
    <details class="card" open={open}>
      <summary>
        <h2>Connect with a token</h2>
      </summary>
      <form onSubmit={(event) => begin(event, { kind: 'token', token: token.value.trim() })}>
        <p class="hint">A JWT that this gateway accepts. It stays in the memory of this page.</p>
        <label>
          Token
          <textarea
            required
            rows={4}
            spellcheck={false}
            autocomplete="off"
            value={token}
            onInput={({ currentTarget }) => (token.value = currentTarget.value)}
          />
        </label>
        <button class="primary">Connect with it</button>
      </form>
    </details>
  );
}

function begin(event: TargetedSubmitEvent<HTMLFormElement>, who: Identity): void {
  event.preventDefault();
  identity.value = who;
  connect();
}
