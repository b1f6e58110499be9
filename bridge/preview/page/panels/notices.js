/** What went wrong, with the remedy, and what is on its way to the server. */
import { byId, make } from '../elements.js';

/** @param {import('../state.js').Store} store */
export function followNotices(store) {
  store.drawWith((state, before) => {
    if (state.problems !== before?.problems) drawProblems(store, state.problems);
    if (state.uploads !== before?.uploads) drawUploads(state.uploads);
  });
}

function drawProblems(store, problems) {
  byId('problems').replaceChildren(
    ...problems.map((problem) => {
      const dismiss = () =>
        store.set({ problems: store.state.problems.filter((other) => other !== problem) });
      const text = make('p', {}, make('b', { textContent: problem.where }), ` ${problem.what}`);
      if (problem.remedy) text.append(make('span', { textContent: ` — ${problem.remedy}` }));
      return make(
        'div.problem',
        {},
        text,
        make('button.icon', {
          type: 'button',
          textContent: '×',
          onclick: dismiss,
          aria: { label: 'Dismiss' },
        }),
      );
    }),
  );
}

function drawUploads(uploads) {
  byId('uploads').replaceChildren(
    ...uploads.map(({ name, part }) =>
      make(
        'label',
        {},
        make('span', { textContent: `Sending ${name}` }),
        make('progress', { max: 1, value: part }),
      ),
    ),
  );
}
