// A scene for the tests of main.js: it says what happens to it.

export const log = [];

export default function example(root) {
  log.push("made");
  root.append("a picture");
  return {
    update(data, { fresh, themed, send }) {
      log.push(`update ${data.n}${fresh ? " fresh" : ""}${themed ? " themed" : ""}`);
      send("seen", data.n);
    },
    destroy: () => log.push("destroyed"),
  };
}
