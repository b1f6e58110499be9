/** Files of the user on their way to the server. */
import * as api from './api.js';
import { Refusal } from './api.js';

const megabytes = (bytes) => Math.ceil(bytes / 2 ** 20);

/** Refuse what the server would refuse, before it is sent. */
function check({ name, size }, limit) {
  if (size <= limit) return;
  const what = `the file is ${megabytes(size)} MB large; the limit is ${megabytes(limit)} MB`;
  throw new Refusal({ where: name, what, remedy: 'cut it, or use cstalk-bridge render' });
}

/**
 * Send a sound or a take; `state.uploads` says how far it is.
 * @param {import('./state.js').Store} store
 * @param {File} file
 * @returns {Promise<?import('./state.js').Source>} null where it was refused, which is shown
 */
export async function opened(store, file) {
  const others = () => store.state.uploads.filter(({ name }) => name !== file.name);
  const tell = (part) => store.set({ uploads: [...others(), { name: file.name, part }] });
  try {
    check(file, store.state.session.limits.upload_bytes);
    tell(0);
    const { recording, take, name } = await api.upload(file, tell);
    return {
      key: recording ?? take.id,
      name,
      folder: '',
      recording: recording ?? null,
      take: take?.id ?? null,
    };
  } catch (error) {
    store.complain(...Refusal.problemsOf(error));
    return null;
  } finally {
    store.set({ uploads: others() });
  }
}
