/** Elements of the page. All text of users goes through `textContent`. */

/**
 * Make an element.
 * @template {string} Tag
 * @param {Tag} tag with classes, as in `li.curve`
 * @param {{data?: Record<string, unknown>, aria?: Record<string, unknown>, [name: string]: unknown}}
 *   properties of the element; `data` and `aria` are objects of their own
 * @param {...(Node | string)} children
 * @returns {Tag extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[Tag] : HTMLElement}
 */
export function make(tag, { data = {}, aria = {}, ...properties } = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  element.classList.add(...classes);
  Object.assign(element, properties);
  Object.assign(element.dataset, data);
  for (const [key, value] of Object.entries(aria))
    element.setAttribute(`aria-${key}`, String(value));
  element.append(...children);
  return /** @type {any} */ (element);
}

/**
 * Return the element of an id that is in index.html.
 * @template {keyof HTMLElementTagNameMap} [Tag='div']
 * @param {string} id
 * @param {Tag} [tag] checked where given; without it the element has what all elements have
 * @returns {HTMLElementTagNameMap[Tag]}
 * @throws {TypeError} where index.html has no such element
 */
export function byId(id, tag) {
  const element = document.getElementById(id);
  if (!element || (tag && element.localName !== tag)) throw new TypeError(`no ${tag ?? ''}#${id}`);
  return /** @type {HTMLElementTagNameMap[Tag]} */ (element);
}

/** Return the buttons in the element of an id. */
export const buttonsIn = (id) => [...byId(id).querySelectorAll('button')];

/** Return the element on which an event happened. @param {Event} event */
export const targetOf = (event) => /** @type {HTMLElement} */ (event.target);

/**
 * Return what draws in two dimensions on a canvas.
 * @template {HTMLCanvasElement | OffscreenCanvas} Canvas
 * @param {Canvas} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 * @returns {Canvas extends HTMLCanvasElement
 *   ? CanvasRenderingContext2D : OffscreenCanvasRenderingContext2D}
 */
export function contextOf(canvas, settings) {
  const context = canvas.getContext('2d', settings);
  if (!context) throw new TypeError('the browser gives no canvas to draw on');
  return /** @type {any} */ (context);
}

/** Set a text only where it differs: most displays are drawn far more often than they change. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Mark a button as on or off. */
export const press = (button, isOn) => button.setAttribute('aria-pressed', String(Boolean(isOn)));

/** Fill a menu with entries {value, text}, and choose one. */
export function fillMenu(menu, entries, chosen) {
  const key = JSON.stringify(entries);
  if (menu.dataset.key !== key) {
    menu.replaceChildren(
      ...entries.map(({ value, text }) => make('option', { value, textContent: text })),
    );
    menu.dataset.key = key;
  }
  menu.value = chosen;
}

/** Write a time as minutes, seconds and milliseconds: `1:02.345`. */
export function clockText(time_s) {
  const all_ms = Math.round(Math.max(time_s, 0) * 1000);
  const minutes = Math.floor(all_ms / 60000);
  return `${minutes}:${String(((all_ms % 60000) / 1000).toFixed(3)).padStart(6, '0')}`;
}
