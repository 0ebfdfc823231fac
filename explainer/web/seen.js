// Tells Python, once, that the learner has scrolled to the place where it stands, or past it.

export default function ({ parentElement, setStateValue }) {
  const watch = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      setStateValue("seen", true);
    },
    // What scrolls is this element of Streamlit's; above it, all that one has scrolled past.
    { root: document.querySelector("[data-testid=stMain]"), rootMargin: "99999px 0px 0px" },
  );
  watch.observe(parentElement.querySelector(".place"));
  return () => watch.disconnect();
}
