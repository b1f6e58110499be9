/** Chromium without a sound card may wait forever, in slow motion, for sound that it has. */

const WAIT_MS = 500; // a sound that waits for so long is woken
const AHEAD_S = 0.2; // it has at least so much to play

function isStuck({ paused, seeking, readyState, currentTime, buffered }) {
  const { length } = buffered;
  const hasMore = length > 0 && buffered.end(length - 1) > currentTime + AHEAD_S;
  return hasMore && !paused && !seeking && readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
}

/** Wake a sound whenever it is stuck: seeking to where it is does. @param {HTMLAudioElement} sound */
export function keepAwake(sound) {
  let timer = 0;
  sound.addEventListener('waiting', () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const { currentTime } = sound;
      if (isStuck(sound)) sound.currentTime = currentTime;
    }, WAIT_MS);
  });
}
