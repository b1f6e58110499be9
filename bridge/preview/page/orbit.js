/** Looking at the faces from another side: all views share one direction. */

const PER_PX = 0.008; // radians
const HIGHEST = 1.2;

/** Let drags on an element turn the camera. @param {import('./state.js').Store} store */
export function followOrbit(element, store) {
  /** @type {?[number, number]} */
  let last = null;
  const end = () => {
    last = null;
  };
  element.addEventListener('pointerdown', (event) => {
    const isFace = event.target instanceof Element && event.target.closest('[data-shot="face"]');
    if (event.button !== 0 || !isFace) return;
    last = [event.clientX, event.clientY];
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener('pointermove', ({ clientX, clientY }) => {
    if (!last) return;
    const { azimuth, elevation } = store.state.orbit;
    const higher = elevation + (clientY - last[1]) * PER_PX;
    store.set({
      orbit: {
        azimuth: azimuth - (clientX - last[0]) * PER_PX,
        elevation: Math.min(Math.max(higher, -HIGHEST), HIGHEST),
      },
    });
    last = [clientX, clientY];
  });
  element.addEventListener('pointerup', end);
  element.addEventListener('pointercancel', end);
  element.addEventListener('dblclick', () => store.set({ orbit: { azimuth: 0, elevation: 0 } }));
}
