// Where the start page leads: its two doors, and every cell, at the same prompt and token.

import { el } from "../web/dom.js";
import { door, way } from "../web/way.js";

/** Where the walkthrough shows the word at a position: the cache has to be as short as that. */
export function walkthroughAt(scene, position) {
  const at = Math.max(1, position);
  return at < scene.prompt_length - 1 ? { length: String(at), token: String(at) } : { token: String(at) };
}

/**
 * @param {any} scene
 * @param {number} lap the word that is shown
 */
export function doorsOf(scene, lap) {
  const at = walkthroughAt(scene, scene.prompt_length + lap - 2);
  const places = { walkthrough: at, timing: {} };
  return Object.entries(scene.words.door).map(([page, words]) =>
    door("a.door", page, { params: { ...scene.link, ...places[page] } }, words),
  );
}

/** The named paths through the pages, each a door to what comes behind this page; nothing until they are known. */
export function pathsOf(words) {
  const paths = way()?.paths ?? [];
  const doors = paths.flatMap(({ name, about, pages }, i) => [
    " ",
    door("a.door", pages[1], { params: { path: String(i + 1) } }, el("span", { title: about }, name)),
  ]);
  return paths.length ? [el("span.ways", {}, words, ...doors)] : [];
}
