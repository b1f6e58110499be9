/** The preview: opens the session and puts the parts of the page together. */
import * as api from './api.js';
import { Refusal } from './api.js';
import { automation } from './automation.js';
import { followFiles } from './drop.js';
import { byId, make } from './elements.js';
import { Filmstrip } from './filmstrip.js';
import { HeadLibrary } from './headlibrary.js';
import { followKeys } from './keys.js';
import { LiveFeed } from './live.js';
import { faceCurves } from './moving.js';
import { followBar } from './panels/bar.js';
import { followNotices } from './panels/notices.js';
import { followSettings } from './panels/settings.js';
import { followTransport } from './panels/transport.js';
import { Player } from './player.js';
import { Stage } from './stage.js';
import { Store, initialState } from './state.js';
import { followSteering } from './live/steeringpanel.js';
import { Steering } from './live/steering.js';
import { Takes } from './takes.js';
import { followTheme } from './theme.js';
import { Timeline } from './timeline/timeline.js';
import { Views } from './views.js';

/** Say what keeps the page from starting, where everything else would be. */
function fail(problems) {
  document.body.dataset.stage = 'failed';
  byId('problems').replaceChildren(
    ...problems.map(({ where, what, remedy }) =>
      make(
        'div.problem',
        {},
        make('p', {}, make('b', { textContent: where }), ` ${what} — ${remedy}`),
      ),
    ),
  );
}

function openStage() {
  try {
    return new Stage(byId('picture', 'canvas'));
  } catch {
    throw new Refusal({
      where: 'browser',
      what: 'WebGL 2 is not available',
      remedy: 'turn on hardware acceleration, or use another browser',
    });
  }
}

async function begin() {
  const session = await api.session();
  const store = new Store(initialState(session));
  const stage = openStage();
  const complain = (error) => store.complain(...Refusal.problemsOf(error));
  addEventListener('unhandledrejection', (event) => {
    event.preventDefault();
    complain(event.reason);
  });
  followTheme(store);
  followNotices(store);
  const library = new HeadLibrary(faceCurves(session));
  const player = new Player(store, byId('sound', 'audio'));
  const takes = new Takes(store, library);
  followBar(store, takes, player);
  const steering = new Steering(store);
  followSettings(store, takes);
  followSteering(store, steering, (head) => takes.change('A', { head }));
  const views = new Views(store, stage, library);
  new Filmstrip(store, stage, views, player);
  const timeline = new Timeline(store, player);
  followTransport({ store, player, timeline });
  followKeys({ store, player, takes, steering, timeline });
  followFiles(store, takes, library);
  Object.assign(window, { cstalk: automation(store, views, player) });
  if (session.live) new LiveFeed(store).start();
  await takes.begin();
}

begin().catch((error) => fail(Refusal.problemsOf(error)));
