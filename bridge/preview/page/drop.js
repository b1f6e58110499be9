/** Files from the user's machine, dropped anywhere or chosen: voices, takes and heads. */
import { Refusal } from './api.js';
import { byId } from './elements.js';

const HEAD = /\.(glb|vrm)$/i;
const MAX_FILES = 32; // at once; more belong to cstalk-bridge render

/**
 * Listen for files.
 * @param {import('./state.js').Store} store
 * @param {import('./takes.js').Takes} takes
 * @param {import('./headlibrary.js').HeadLibrary} library
 */
export function followFiles(store, takes, library) {
  const open = async (files) => {
    if (files.length > MAX_FILES) {
      store.complain({
        where: `${files.length} files`,
        what: `the limit is ${MAX_FILES} at once`,
        remedy: 'use cstalk-bridge render for many',
      });
      return;
    }
    for (const head of files.filter(({ name }) => HEAD.test(name)))
      await addHead(store, takes, library, head);
    await takes.open(files.filter(({ name }) => !HEAD.test(name)));
  };
  const input = byId('file', 'input');
  input.onchange = () => {
    open([...(input.files ?? [])]);
    input.value = '';
  };
  for (const id of ['open', 'invite', 'open-head']) byId(id).onclick = () => input.click();
  followDrop(open);
}

async function addHead(store, takes, library, file) {
  try {
    const head = await library.add(file);
    const heads = [...store.state.heads.filter(({ id }) => id !== head.id), head];
    store.set({ heads });
    takes.change(store.state.active, { head: head.id });
  } catch (error) {
    store.complain(...Refusal.problemsOf(error));
  }
}

function followDrop(open) {
  let depth = 0;
  const show = (isOver) => {
    byId('dropping').hidden = !isOver;
  };
  const hasFiles = ({ dataTransfer }) => dataTransfer?.types.includes('Files');
  addEventListener('dragenter', (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    show(true);
  });
  addEventListener('dragleave', (event) => {
    if (hasFiles(event)) show((depth = Math.max(0, depth - 1)) > 0);
  });
  addEventListener('dragover', (event) => hasFiles(event) && event.preventDefault());
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    open([...(event.dataTransfer?.files ?? [])]);
  });
}
