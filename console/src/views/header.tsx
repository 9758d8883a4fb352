import { comebacks, disconnect, session, state, type State, transport } from '../connection.js';
import { forgetIdentity } from '../identity.js';
import { view, VIEWS } from '../view.js';
import { nextTheme, theme } from '../theme.js';

const WORDS: Record<State, string> = {
  idle: 'Not connected',
  connecting: 'Connecting',
  connected: 'Connected',
  lost: 'Connection lost, trying again',
  refused: 'Refused',
  ended: 'Ended by the gateway',
};

/** Who is connected, how and where. */
export function Header() {
  return (
    <header>
      <div class="bar">
        <h1>
          Streamgate <span>console</span>
        </h1>
        {session.value && <Views />}
        <p class={`status ${state.value}`} role="status">
          {WORDS[state.value]}
        </p>
        <div class="end">
          <button type="button" class="quiet" onClick={nextTheme}>
            Theme: {theme}
          </button>
          {session.value && (
            <button type="button" onClick={leave}>
              Disconnect
            </button>
          )}
        </div>
      </div>
      {session.value && <Facts />}
    </header>
  );
}

function Views() {
  return (
    <nav aria-label="Views">
      {Object.entries(VIEWS).map(([name, title]) => (
        <a key={name} href={`#${name}`} aria-current={view.value === name ? 'page' : undefined}>
          {title}
        </a>
      ))}
    </nav>
  );
}

function leave(): void {
  disconnect();
  forgetIdentity();
}

function Facts() {
  const { user, node, socketId, recovered } = session.value!;
  const facts: [name: string, value: string][] = [
    ['User', [user.username, ...user.roles.map((role) => `(${role})`)].join(' ')],
    ['Transport', transport.value || 'none'],
    ['Node', node?.slice(0, 8) ?? 'not told'],
    ['Session', socketId],
    ['Recovery', recoveryText(recovered)],
  ];
  return (
    <dl class="facts" aria-label="Connection">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function recoveryText(recovered: boolean): string {
  const times = comebacks.value;
  if (times === 0) return 'first connect';
  return `${recovered ? 'recovered, nothing missed' : 'new session'} (${times} ${times === 1 ? 'loss' : 'losses'})`;
}
