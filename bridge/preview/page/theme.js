/** Dark or light: as the system has it, until the user chooses. */
import { byId } from './elements.js';

const KEY = 'cstalk-theme';

/** Keep the choice where the browser allows it. */
function stored(choice) {
  try {
    if (choice) localStorage.setItem(KEY, choice);
    return localStorage.getItem(KEY);
  } catch {
    return choice ?? null;
  }
}

/** Keep `state.theme` and the page's colours. @param {import('./state.js').Store} store */
export function followTheme(store) {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const ofSystem = () => (system.matches ? 'dark' : 'light');
  const wear = (theme) => {
    document.documentElement.dataset.theme = theme;
    store.set({ theme });
  };
  wear(stored() ?? ofSystem());
  system.addEventListener('change', () => stored() ?? wear(ofSystem()));
  byId('theme').onclick = () => wear(stored(store.state.theme === 'dark' ? 'light' : 'dark'));
}
