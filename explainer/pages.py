"""The pages of the app: one line registers one."""

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from explainer.avoided_work.choice import AvoidedChoice
from explainer.by_hand.choice import HandChoice
from explainer.code.choice import CodeChoice
from explainer.memory.choice import MemoryChoice
from explainer.policies.choice import PoliciesChoice
from explainer.prompt_caching.choice import PromptCachingChoice
from explainer.start.choice import StartChoice
from explainer.timing.choice import TimingChoice
from explainer.walkthrough.choice import WalkthroughChoice
from explainer.why_k_and_v.choice import WhyChoice

DIRECTORY = Path(__file__).parent.parent / "pages"

#: The icon of every page, read once; one of Streamlit's own would be fetched from the internet.
ICON = "data:image/svg+xml;base64," + b64encode(Path(__file__).with_name("icon.svg").read_bytes()).decode()


@dataclass(frozen=True)
class Page:
    """A page: its file below `pages/`, name, the class that declares its address parameters, and group.

    `token` names the parameter that holds the position of the token shown, where there is one: it goes along
    to the next page that has one. With `controls_wait` the controls are drawn when the scene sends its state
    `controls`: the page opens sooner. What a page tells and what leads to it stands in `path/path.toml`.
    """

    file: str
    title: str
    choice: type | None = None
    group: str = "Understand"
    token: str = ""
    controls_wait: bool = False


#: In the order of the navigation, group by group; the first is the one that opens.
PAGES = (
    Page("start", "Start", StartChoice, controls_wait=True),
    Page("walkthrough", "Walkthrough", WalkthroughChoice, token="token"),
    Page("avoided_work", "Avoided work", AvoidedChoice, token="tokens"),
    Page("why_k_and_v", "Why K and V", WhyChoice),
    Page("by_hand", "By hand", HandChoice),
    Page("timing", "Timing lab", TimingChoice, "Measure"),
    Page("memory", "Memory", MemoryChoice, "Measure"),
    Page("policies", "Cache policies", PoliciesChoice, "Measure"),
    Page("prompt_caching", "Prompt caching", PromptCachingChoice, "Use", controls_wait=True),
    Page("code", "Code", CodeChoice, "Use", token="token"),
    Page("heard", "You may have heard", group="Look up"),
    Page("glossary", "Glossary", group="Look up"),
)
