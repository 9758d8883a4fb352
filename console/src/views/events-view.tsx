import { LogPanel } from './log-panel.js';
import { PeoplePanel } from './people-panel.js';
import { RoomsPanel } from './rooms-panel.js';
import { SendPanel } from './send-panel.js';

/** What can be sent and asked on the one side, what arrives on the other. */
export function EventsView() {
  return (
    <div class="columns">
      <div class="side">
        <SendPanel />
        <RoomsPanel />
        <PeoplePanel />
      </div>
      <LogPanel />
    </div>
  );
}
