import { render } from 'preact';
import { App } from './views/app.js';
import './chat/hear.js';
import './style.css';
import './theme.js';

render(<App />, document.body);
