"""The rules of one server, `servers/<server>/data.yaml`, validated before they are loaded. Pure.

Everything that is not exactly a rule is an error that names the file, the line, the key and the nearest
valid key, so that a typing error never becomes a silent allow. All problems are reported at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from pdp.answer import LARGEST, MAX_LIMIT, MAX_WINDOW
from pdp.api.bounds import MAX_TARGET
from pdp.api.methods import METHODS
from pdp.api.names import own_form
from pdp.errors import PolicyTextError
from pdp.rules import approval_rules, rule_keys
from pdp.rules.checks import KEYWORDS, SchemaError, compile_schema, unknown_keyword
from pdp.rules.uris import key_fault
from pdp.rules.yaml_lines import Located, Path, load, name_of
from tipstaff.common.did_you_mean import nearest

ACTIONS = tuple(rule_keys.ACTIONS)
CATEGORIES = tuple(rule_keys.CATEGORIES)
SCOPES = tuple(rule_keys.SCOPES)
_SECTIONS = tuple(rule_keys.SECTIONS)
_SERVER_KEYS = tuple(rule_keys.SERVER_KEYS)
_RULE_KEYS = tuple(rule_keys.RULE_KEYS)
_LIMIT_KEYS = tuple(rule_keys.LIMIT_KEYS)
LONGEST_LIMIT_NAME = 512
ON_STORE_ERROR = tuple(rule_keys.ON_STORE_ERROR)
_UNREACHED = ("rate_limit", "arguments")


def validate(text: str, source: str, catalogue: Mapping[str, Any] | None) -> dict[str, Any]:
    """The rules of one server as plain data; raises `PolicyTextError`, which names `source`.

    `catalogue` is the catalogue of the server's tools, `{"tools": {name: …}}`, or `None`.
    """
    located = load(text, source)
    tools = None if catalogue is None else catalogue.get("tools", {})
    check = _Check(located, [], tools)
    value = {} if located.value is None else located.value
    if check.is_mapping(value, ()):
        check.server(value)
    if check.problems:
        raise PolicyTextError("\n".join(check.problems))
    return dict(value)


def schema_fault(schema: Any) -> tuple[Path, str] | None:
    """The place and reason why `schema` cannot be enforced in full; `None` when it can."""
    if unknown := unknown_keyword(schema):
        where, word = unknown
        at = f"{name_of(where)}: " if where else ""
        return where, f"{at}`{word}` checks nothing; {nearest(word, KEYWORDS)}"
    try:
        compile_schema(schema, known_formats_only=True)
    except SchemaError as error:
        return error.place, f"not a JSON Schema that can be held: {error}"
    return None


def starter_rules(server: str, head: str = "") -> str:
    """Commented rules to begin with, below `head`: nothing passes until it is named."""
    return f"""\
{head}# What agents may do with the server {server}. An edit takes effect at once, and `tipstaff check`
# tells what is wrong with it. A key that is not known here is an error, never ignored.

# Everything that has no rule of its own: allow, deny, hide or require_approval.
default: deny

tools: {{}}
#  list_things:                    # a rule that says nothing allows
#    rate_limit: {{max: 10, window: 60}}          # at most 10 calls in any 60 s, per agent session
#  create_thing:
#    arguments:                    # JSON Schema (2020-12) that the arguments must meet
#      properties:
#        size: {{enum: [small, medium]}}
#      required: [size]
#  delete_thing:
#    action: deny
#    reason: Things are deleted by the platform team only.

resources: {{}}
#  "file:///srv/public/*": {{}}      # by URI; a * at the end stands for everything that begins so

prompts: {{}}
#  summarize: {{}}

methods: {{}}
#  sampling/createMessage:         # also what the server asks of its client
#    action: require_approval

limits:
  - {{name: everything, scope: principal, max: 600, window: 60}}
"""


class _Check(Struct):
    """One file on its way through validation; `problems` are sentences."""

    located: Located
    problems: list[str]
    tools: Mapping[str, Any] | None

    def fail(self, path: Path, message: str, within: Path = ()) -> None:
        """Add a problem at `path`, with its line."""
        line = self.located.line((*path, *within))
        where = f"{name_of(path)}: " if path else ""
        self.problems.append(f"{self.located.source}:{line}: {where}{message}")

    def is_mapping(self, value: Any, path: Path) -> bool:
        if not isinstance(value, dict):
            self.fail(path, "must be a mapping of keys to values")
        return isinstance(value, dict)

    def keys(self, value: Mapping[str, Any], path: Path, known: tuple[str, ...]) -> None:
        for key in value:
            if key not in known:
                self.fail((*path, key), f"there is no key `{key}` here; {nearest(key, known)}")

    def one_of(self, value: Any, path: Path, known: tuple[Any, ...]) -> None:
        if value not in known or isinstance(value, bool) is not isinstance(known[0], bool):
            words = [
                str(choice).lower() if isinstance(choice, bool) else choice for choice in known
            ]
            self.fail(path, f"must be one of {', '.join(words)}; {nearest(str(value), words)}")

    def server(self, value: Mapping[str, Any]) -> None:
        self.keys(value, (), _SERVER_KEYS)
        if "shadow" in value:
            self.one_of(value["shadow"], ("shadow",), (True, False))
        if "default" in value:
            self.one_of(value["default"], ("default",), ACTIONS)
        for section in _SECTIONS:
            rules = value.get(section, {})
            if self.is_mapping(rules, (section,)):
                for name, rule in rules.items():
                    self.name(section, name)
                    self.rule(rule, (section, name), name if section == "tools" else None)
                    self.fits(section, name, rule)
        self.server_limits(value.get("limits", []))
        if "approval" in value:
            self.approval(value["approval"], ("approval",))
        if "initialize" in value:
            self.limit(value["initialize"], ("initialize",), named=False)

    def name(self, section: str, name: str) -> None:
        known: Iterable[str] | None = {
            "tools": self.tools, "categories": CATEGORIES, "methods": METHODS,
        }.get(section)  # fmt: skip
        path = (section, name)
        if not name:
            self.fail(path, "is empty")
        elif len(name) > MAX_TARGET:
            self.fail(path, f"can never match: it is longer than {MAX_TARGET} characters")
        elif section == "resources" and (fault := key_fault(name)):
            self.fail(path, fault)
        elif section in {"tools", "prompts"} and (spelled := own_form(name)) != name:
            self.fail(path, f"can never match: write `{spelled}`")
        elif known is not None and name not in known:
            what = {"categories": "category", "methods": "method that rules can name"}
            self.fail(
                path,
                f"there is no such {what.get(section, 'tool in the catalogue')}; {nearest(name, known)}",
            )

    def fits(self, section: str, name: str, rule: Any) -> None:
        """Check keys of a rule that mean something in some sections only."""
        if not isinstance(rule, dict):
            return
        if section == "methods" and rule.get("action") == "hide":
            self.fail((section, name, "action"), "a method cannot be hidden; write deny")
        if "arguments" not in rule or section in {"tools", "categories"}:
            return
        if section == "resources" or not METHODS.get(name, True):
            self.fail((section, name, "arguments"), "has no effect: there are no arguments here")
        elif rule["arguments"] == "declared":
            self.fail((section, name, "arguments"), "only tools declare a schema; write one here")

    def rule(self, rule: Any, path: Path, tool: str | None) -> None:
        if rule is None:
            self.fail(path, "is empty: write {} for a rule that just allows")
            return
        if not self.is_mapping(rule, path):
            return
        self.keys(rule, path, _RULE_KEYS)
        action = rule.get("action", "allow")
        self.one_of(action, (*path, "action"), ACTIONS)
        self.reason(rule, path, action)
        for key in _UNREACHED:
            if key in rule and action in ("deny", "hide"):
                self.fail((*path, key), f"has no effect beside action: {action}")
        if "approval" in rule:
            self.approval(rule["approval"], (*path, "approval"))
            if action != "require_approval":
                self.fail((*path, "approval"), "has no effect without action: require_approval")
        if "rate_limit" in rule:
            self.rate_limit(rule["rate_limit"], (*path, "rate_limit"))
        if "arguments" in rule:
            self.arguments(rule["arguments"], (*path, "arguments"), tool)

    def reason(self, rule: Mapping[str, Any], path: Path, action: Any) -> None:
        if "reason" in rule and not (isinstance(rule["reason"], str) and rule["reason"].strip()):
            self.fail((*path, "reason"), "must be a sentence")
        if "reason" in rule and action == "allow":
            self.fail((*path, "reason"), "an action of allow gives no reason; is `action` missing?")

    def approval(self, value: Any, path: Path) -> None:
        for within, message in approval_rules.faults(value):
            self.fail((*path, *within), message)

    def rate_limit(self, value: Any, path: Path) -> None:
        if not isinstance(value, list):
            self.limit(value, path, named=False)
            return
        if not value:
            self.fail(path, "is empty: give a limit, or leave the key out")
        for index, limit in enumerate(value):
            self.limit(limit, (*path, index), named=False)

    def server_limits(self, limits: Any) -> None:
        if not isinstance(limits, list):
            self.fail(("limits",), "must be a list of limits")
            return
        seen: set[Any] = set()
        for index, limit in enumerate(limits):
            path: Path = ("limits", index)
            self.limit(limit, path, named=True)
            name = limit.get("name") if isinstance(limit, dict) else None
            if isinstance(name, str) and name in seen:
                self.fail((*path, "name"), f"two limits are called {name}")
            seen.add(name if isinstance(name, str) else None)

    def limit(self, limit: Any, path: Path, *, named: bool) -> None:
        if not self.is_mapping(limit, path):
            return
        self.keys(limit, path, _LIMIT_KEYS if named else _LIMIT_KEYS[1:])
        if named and not (isinstance(limit.get("name"), str) and limit["name"]):
            self.fail(path, "needs a name")
        elif named and len(limit["name"]) > LONGEST_LIMIT_NAME:
            self.fail((*path, "name"), f"is longer than {LONGEST_LIMIT_NAME} characters")
        for key, known in (
            ("scope", SCOPES),
            ("algorithm", tuple(LARGEST)),
            ("on_store_error", ON_STORE_ERROR),
            ("shadow", (True, False)),
        ):
            if key in limit:
                self.one_of(limit[key], (*path, key), known)
        self.numbers(limit, path, str(limit.get("algorithm", "sliding_log")))

    def numbers(self, limit: Mapping[str, Any], path: Path, algorithm: str) -> None:
        """Check `max`, `window`, `burst` and `cost`, each by itself and against the others."""
        largest = LARGEST.get(algorithm, MAX_LIMIT)
        most = self.whole(limit, path, "max", largest, needed=True)
        self.whole(limit, path, "window", MAX_WINDOW, needed=True)
        burst = self.whole(limit, path, "burst", largest, needed=False)
        cost = self.whole(limit, path, "cost", largest, needed=False)
        if "burst" in limit and algorithm != "gcra":
            self.fail((*path, "burst"), "has no effect without algorithm: gcra")
        elif burst is not None and most is not None and burst > most:
            self.fail((*path, "burst"), f"exceeds max ({most})")
        for key, bound in (("burst", burst), ("max", most)):
            if bound is not None and cost is not None and cost > bound:
                self.fail(
                    (*path, "cost"), f"exceeds {key} ({bound}), so that no call could ever pass"
                )
                return

    def whole(
        self, limit: Mapping[str, Any], path: Path, key: str, most: int, *, needed: bool
    ) -> int | None:
        """The whole number from 1 to `most` at `key`, or `None` with a problem added if it is wrong."""
        if key not in limit:
            if needed:
                self.fail(path, f"needs `{key}`")
            return None
        value = limit[key]
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            unit = " of seconds" if key == "window" else ""
            self.fail((*path, key), f"must be a whole number{unit} from 1 to {most}, not {value!r}")
            return None
        return value

    def arguments(self, schema: Any, path: Path, tool: str | None) -> None:
        if schema == "declared":
            known = (self.tools or {}).get(tool, {}).get("definition", {}) if tool else {}
            if self.tools is not None and tool in self.tools and known.get("inputSchema") is None:
                self.fail(path, "the catalogue holds no schema of this tool")
            return
        if not isinstance(schema, dict):
            self.fail(path, "must be a JSON Schema, or the word `declared`")
            return
        if fault := schema_fault(schema):
            self.fail(path, fault[1], fault[0])
