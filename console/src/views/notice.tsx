import { connect, problem, state } from '../connection.js';

/** Why there is no connection, and what can be done about it. */
export function Notice() {
  const why = problem.value;
  if (!why) return null;
  return (
    <div class={`notice ${state.value}`} role="alert">
      <p>
        <strong>{why.text}</strong> <code>{why.code}</code>
      </p>
      {why.advice && <p>{why.advice}</p>}
      {state.value === 'ended' && (
        <button type="button" onClick={connect}>
          Connect again
        </button>
      )}
    </div>
  );
}
