import { useEffect } from 'preact/hooks';
import { connect, state } from '../connection.js';
import { identity, keptIdentity, readSettings, settings } from '../identity.js';
import { view } from '../view.js';
import { ChatView } from './chat/chat-view.js';
import { ConnectView } from './connect-view.js';
import { EventsView } from './events-view.js';
import { Header } from './header.js';
import { Notice } from './notice.js';

/** The whole page: whoever has not said who connects is asked, then sees the events. */
export function App() {
  useEffect(() => void begin(), []);
  const asks = state.value === 'idle' || state.value === 'refused';
  return (
    <>
      <Header />
      <main>
        <Notice />
        {asks ? <ConnectView /> : view.value === 'chat' ? <ChatView /> : <EventsView />}
      </main>
    </>
  );
}

/** A reloaded tab goes on as who it was, where tokens are made for it. */
async function begin(): Promise<void> {
  await readSettings();
  const kept = keptIdentity();
  if (!kept || !settings.value?.tokens) return;
  identity.value = kept;
  connect();
}
