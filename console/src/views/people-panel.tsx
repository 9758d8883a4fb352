import { connected, session } from '../connection.js';
import { chooseNamed } from '../draft.js';
import { people, peopleCount, peopleProblem, type Person, refreshPeople } from '../people.js';

/** Who is online, on all nodes. */
export function PeoplePanel() {
  const more = peopleCount.value - people.value.length;
  return (
    <section class="card" aria-labelledby="people">
      <h2 id="people">
        Online <span class="count">{peopleCount}</span>
        <button
          type="button"
          class="quiet"
          disabled={!connected.value}
          onClick={() => void refreshPeople()}
        >
          Refresh
        </button>
      </h2>
      {peopleProblem.value && <p class="failed">{peopleProblem}</p>}
      <ul class="list" aria-label="Online users">
        {people.value.map((person) => (
          <Row key={person.id} person={person} />
        ))}
      </ul>
      {more > 0 && <p class="hint">and {more} more</p>}
    </section>
  );
}

function Row({ person }: { person: Person }) {
  const { id, username, roles, sessions = 1 } = person;
  const isMe = id === session.value?.user.id;
  return (
    <li>
      <span class="name">
        {username} {isMe && <small>you</small>}{' '}
        {roles.length > 0 && <small>{roles.join(', ')}</small>}
      </span>
      {sessions > 1 && <small>{sessions} sessions</small>}
      <button
        type="button"
        class="quiet"
        onClick={() => chooseNamed('/', 'send-message', { message: 'Hello', to: id })}
      >
        Write<span class="unseen"> to {username}</span>
      </button>
    </li>
  );
}
