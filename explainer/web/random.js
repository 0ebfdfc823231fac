// Names that nobody can guess.

const hex = (byte) => byte.toString(16).padStart(2, "0");

/** A random name. Unlike a UUID, it can be had at an address without https, too. */
export const randomName = () => [...crypto.getRandomValues(new Uint8Array(12))].map(hex).join("");
