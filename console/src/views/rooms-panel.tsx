import { useSignal } from '@preact/signals';
import { connected } from '../connection.js';
import { chooseNamed } from '../draft.js';
import { joinRoom, leaveRoom, rooms } from '../rooms.js';

/** The rooms of this session. */
export function RoomsPanel() {
  const room = useSignal('');
  const refusal = useSignal('');

  async function join(): Promise<void> {
    const { error } = await joinRoom(room.value.trim());
    refusal.value = error?.message ?? '';
    if (!error) room.value = '';
  }

  return (
    <section class="card" aria-labelledby="rooms">
      <h2 id="rooms">Rooms</h2>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          void join();
        }}
      >
        <input
          required
          aria-label="Room to join"
          placeholder="general"
          autocomplete="off"
          value={room}
          onInput={({ currentTarget }) => (room.value = currentTarget.value)}
        />
        <button disabled={!connected.value}>Join</button>
      </form>
      {refusal.value && (
        <p class="failed" role="status">
          {refusal}
        </p>
      )}
      {rooms.value.length === 0 ? (
        <p class="hint">In no room yet.</p>
      ) : (
        <ul class="list" aria-label="Joined rooms">
          {rooms.value.map((joined) => (
            <li key={joined}>
              <span class="name">{joined}</span>
              <button
                type="button"
                class="quiet"
                onClick={() => chooseNamed('/', 'room-message', { room: joined, message: 'Hello' })}
              >
                Speak<span class="unseen"> in {joined}</span>
              </button>
              <button
                type="button"
                class="quiet"
                disabled={!connected.value}
                onClick={() => void leaveRoom(joined)}
              >
                Leave<span class="unseen"> {joined}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
