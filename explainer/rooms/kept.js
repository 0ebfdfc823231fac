// What a room leaves on a device: its code in the tab, and in the browser the random name under which it votes.

import { randomName } from "../web/random.js";

const KEPT = "kv-room"; // in the tab: {code, secret, asks}; for a device of the class in the browser: {code, device}

/** @param {() => Storage} storage */
export function kept(storage) {
  try {
    return JSON.parse(storage().getItem(KEPT) ?? "null");
  } catch {
    return null;
  }
}

/** @param {() => Storage} storage */
export function keep(storage, value) {
  try {
    if (value) storage().setItem(KEPT, JSON.stringify(value));
    else storage().removeItem(KEPT);
  } catch {
    // Then it is forgotten with the page.
  }
}

export const ofTab = () => sessionStorage;
export const ofBrowser = () => localStorage;

/** One device votes once: its random name is the same in every tab, as long as the room is. */
export function deviceOf(code) {
  const known = kept(ofBrowser);
  if (known?.code === code) return known.device;
  const device = randomName();
  keep(ofBrowser, { code, device });
  return device;
}
