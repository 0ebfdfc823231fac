// The room that the triangles take: all that the rest of the page leaves, so that the page is one screen.

const LEAST_TALL = 150; // of a triangle, in px
const LEAST_PHONE = 104;
const MOVES = 60; // px of a phone's bar at the bottom
const UPRIGHT = 900; // a window that is higher than wide, and no wider: one writer below the other
const BELOW = 32; // px of the page below the scene

/** What its children leave of the height of a picture that fills the screen. */
function emptyIn(picture) {
  const ends = [...picture.children].map((child) => child.getBoundingClientRect().bottom);
  return picture.getBoundingClientRect().top + picture.clientHeight - Math.max(...ends) - 12;
}

/** The triangles take the height that the rest leaves; where they stand one below the other, they share it. */
export function fitTriangles(root, picture, panels) {
  const shown = [...panels.querySelectorAll(".triangle")].filter((node) => node.offsetParent);
  if (!shown.length) return;
  const phone = root.classList.contains("phone");
  const presenting = root.classList.contains("presenting");
  root.classList.toggle(
    "upright",
    !phone && !presenting && root.clientWidth < UPRIGHT && innerHeight > innerWidth,
  );
  const page = document.querySelector(".stMain");
  const scrolled = page?.scrollTop ?? 0;
  root.style.setProperty("--tall", "0px");
  const top = picture.getBoundingClientRect().top + (page?.scrollTop ?? 0);
  const stacked = getComputedStyle(panels).gridTemplateColumns.split(" ").length === 1;
  const writer = /** @type {HTMLElement} */ (shown[0].closest(".writer"));
  const beside = stacked ? 0 : panels.offsetHeight - writer.offsetHeight;
  const others = innerHeight - top - picture.offsetHeight - BELOW - (phone ? MOVES : 0);
  const left = beside + (presenting ? emptyIn(picture) : others);
  const each = left / (stacked ? shown.length : 1);
  root.style.setProperty("--tall", `${Math.floor(Math.max(phone ? LEAST_PHONE : LEAST_TALL, each))}px`);
  if (page) page.scrollTop = scrolled; // the page was shorter for a moment
}
