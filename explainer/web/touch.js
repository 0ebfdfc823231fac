// Answers that stand in the picture: who is asked which token it is touches that token.

/**
 * @param {((text: string) => HTMLElement[]) | undefined} partsOf the parts of the picture that an answer names
 */
export function createTouch(partsOf) {
  let parts = [];

  function clear() {
    for (const part of parts) {
      part.onclick = part.onkeydown = null;
      for (const name of ["answers", "mine", "class"]) delete part.dataset[name];
    }
    parts = [];
  }

  return {
    clear,
    /**
     * Have these answers given by touching what they name, or with Enter there; says whether one of them can be.
     * @param {string[]} texts as they stand on the buttons
     * @param {(option: number) => void} choose
     * @param {number | null} [mine] the one that was given, where it can be changed
     */
    offer(texts, choose, mine = null) {
      clear();
      texts.forEach((text, option) => {
        for (const part of partsOf?.(text) ?? []) {
          parts.push(part);
          part.dataset.answers = String(option + 1);
          part.dataset.class = ""; // it is no leaving of the class
          if (option === mine) part.dataset.mine = "";
          const give = (event) => {
            event.preventDefault(); // it answers, and reads no cell
            choose(option);
          };
          part.onclick = give;
          part.onkeydown = (event) => event.key === "Enter" && give(event);
        }
      });
      return parts.length > 0;
    },
  };
}
