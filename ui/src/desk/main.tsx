// SPDX-License-Identifier: GPL-3.0-or-later
import { render } from 'preact';
import { startRouter } from '../shared/router';
import { App } from './app';
import '../shared/tokens.css';
import '../shared/components.css';
import './desk.css';
import './tables.css';
import './forms.css';
import './job.css';
import './report.css';
import './signals.css';
import './incident.css';
import './phone.css';

startRouter('/desk/');
render(<App />, document.getElementById('app')!);
