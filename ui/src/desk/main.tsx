// SPDX-License-Identifier: GPL-3.0-or-later
import { render } from 'preact';
import '../shared/tokens.css';
import '../shared/components.css';
import { startRouter } from '../shared/router';

startRouter('/desk/');
render(<main />, document.getElementById('app')!);
