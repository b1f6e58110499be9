/** Elements of the page. All text of users goes through `textContent`. */

/**
 * Make an element.
 * @param {string} tag with classes, as in `li.curve`
 * @param {object} properties of the element; `data` and `aria` are objects of their own
 * @param {...(Node | string)} children
 */
export function make(tag, { data = {}, aria = {}, ...properties } = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  element.classList.add(...classes);
  Object.assign(element, properties);
  Object.assign(element.dataset, data);
  for (const [key, value] of Object.entries(aria)) element.setAttribute(`aria-${key}`, value);
  element.append(...children);
  return element;
}

/** The element of an id that stands in index.html. */
export const byId = (id) => document.getElementById(id);

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
